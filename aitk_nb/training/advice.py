"""Remarks on training parameters, and on what the trainer silently makes of a job config."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aitk_nb._units import plural, some
from aitk_nb._yaml import facts
from aitk_nb.models.control_images import CONTROL_KEYS
from aitk_nb.training import presets
from aitk_nb.training.config_paths import is_mappings, trainer_defaults, value_at
from aitk_nb.training.effective import alpha_counts, effective, has_convolutions, resolutions
from aitk_nb.training.extra import aside_of, parse_extra, process_of
from aitk_nb.training.fields import PATHS, Fields, preset_fields, schema
from aitk_nb.training.job_config import draft
from aitk_nb.training.presets import FACTS, Preset, arch_remark
from aitk_nb.training.validation import did_you_mean

_LISTED = 8


class Remark(NamedTuple):
    """One thing that the trainer does with a job config."""

    field: str
    """The field of the parameters that it is about; `extra` if none is."""
    text: str
    fails: bool = False
    """True if the trainer ends with an error because of it."""


def _remark(occasion: str, **words: object) -> Remark:
    """Return a remark in the words of `advice.yaml`, with `words` put into them."""
    said = facts("aitk_nb.training", "advice")[occasion]
    return Remark(said["field"], said["text"].format(**words), said.get("fails", False))


def remarks(process: Mapping[str, Any]) -> Iterator[Remark]:
    """Yield what the trainer makes of a process, where that is rarely intended.

    Args:
        process: The process of a job config as it is sent.
    """
    read = effective(process)
    if (kind := process.get("type")) not in FACTS["trainers"]:
        yield _remark("type", kind=kind)
    yield from _network(process, read)
    yield from _model(process, read)
    yield from _training(process, read)
    yield from _samples(process)
    yield from _datasets(process, read)
    yield from _nulls(process)
    if unknown := list(_unknown(process, trainer_defaults())):
        yield _remark("ignores", paths=some(unknown, _LISTED))


def _network(process: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Remark]:
    given, network = process.get("network"), read["network"]
    if network is None:
        yield _remark("no_network")
    if not isinstance(given, Mapping) or not isinstance(network, Mapping):
        return
    rank, alpha = network["linear"], network["linear_alpha"]
    if given.get("linear", rank) != rank:
        yield _remark("rank_wins", rank=rank, linear=given["linear"])
    if network["type"] == "lokr" and network["lokr_full_rank"]:
        return
    arch = str(value_at(read, "model.arch"))
    counts = alpha_counts(arch)
    is_given = "linear_alpha" in given or "alpha" in given
    absent = "" if is_given else "the job has none, so the trainer takes 1; "
    if counts is False and alpha != rank:
        yield _remark("alpha_is_rank", absent=absent, arch=arch)
    elif counts and alpha != rank and isinstance(alpha, int | float) and isinstance(rank, int):
        times = f"{alpha / rank:.3g}" if rank else "?"
        yield _remark("alpha_scales", absent=absent, times=times)
    if has_convolutions(arch) and (conv := network["conv"]) != rank:
        yield _remark("convolutions", trained=f"trained at rank {conv}" if conv else "not trained")


def _model(process: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Remark]:
    model, given = _section(read, "model"), _section(process, "model")
    arch = str(model.get("arch"))
    if given.get("arch") is None and arch == "sd1":
        yield _remark("no_arch")
    elif text := arch_remark(arch):
        yield Remark("arch", text)
    if not model.get("name_or_path"):
        yield _remark("no_model")
    if "|" in str(model.get("qtype")) and model.get("assistant_lora_path"):
        yield _remark("adapters")
    is_unloaded = value_at(read, "train.unload_text_encoder") is True
    if is_unloaded and arch in ("qwen_image_edit", "boogu_image_edit"):
        yield _remark("unloaded", arch=arch)


def _training(process: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Remark]:
    train = _section(read, "train")
    at_once, steps = train.get("gradient_accumulation"), train.get("gradient_accumulation_steps")
    if steps != 1 and isinstance(at_once, int) and at_once > 1:
        yield _remark("accumulations")
    elif steps != 1:
        yield _remark("old_accumulation", steps=steps)
    rate, optimizer = train.get("lr"), str(train.get("optimizer")).lower()
    is_low = isinstance(rate, int | float) and rate < 0.1
    if is_low and optimizer.startswith(("prodigy", "dadaptation")):
        yield _remark("prodigy", optimizer=optimizer)
    ignored = [key for key in ("unet_lr", "text_encoder_lr") if key in _section(process, "train")]
    if ignored:
        yield _remark("other_rates", keys=" and ".join(ignored))
    for first, second in (
        ("bypass_guidance_embedding", "do_guidance_loss"),
        ("diff_output_preservation", "blank_prompt_preservation"),
    ):
        if train.get(first) and train.get(second):
            yield _remark("exclusive", first=first, second=second)
    if train.get("diff_output_preservation") and not process.get("trigger_word"):
        yield _remark("no_trigger")
    if not value_at(read, "logging.use_ui_logger"):
        yield _remark("no_losses")
    if (kind := value_at(read, "save.save_format")) not in ("safetensors", "diffusers"):
        yield _remark("save_format", kind=kind)


def _samples(process: Mapping[str, Any]) -> Iterator[Remark]:
    sample = _section(process, "sample")
    prompts = sample.get("prompts")
    if "samples" in sample and isinstance(prompts, list) and prompts:
        occasion = "hidden_prompts" if sample["samples"] == [] else "other_prompts"
        yield _remark(occasion, prompts=plural(len(prompts), "prompt"))


def _datasets(process: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Remark]:
    given, entries = process.get("datasets"), read["datasets"]
    if not is_mappings(given) or not is_mappings(entries):
        yield _remark("no_dataset")
        return
    dropped = [repr(entry["folder_path"]) for entry in entries if not resolutions(entry)]
    for name in dropped:
        yield _remark("dropped", name=name)._replace(fails=len(dropped) == len(entries))
    if all(entry["is_reg"] for entry in entries):
        yield _remark("all_regular")
    buckets = [bool(entry["buckets"]) for entry in entries]
    if any(buckets) and not all(buckets):
        yield _remark("some_buckets")
    for entry, raw in zip(entries, given, strict=True):
        name = repr(entry["folder_path"])
        if raw.get("control_path") and any(raw.get(key) for key in CONTROL_KEYS[1:]):
            yield _remark("control_paths", name=name)
        if entry["batch_size"] is not None and not entry["buckets"]:
            yield _remark("needs_buckets", name=name)
        if not isinstance(entry["num_repeats"], int):
            yield _remark("repeats", name=name, value=entry["num_repeats"])
        if entry["poi"] is not None:
            yield _remark("poi", name=name)
        if entry["type"] != "image":
            yield _remark("dataset_type", name=name, value=entry["type"])
        for key in FACTS["fails_on_null_in_dataset"]:
            if entry[key] is None:
                yield _remark("dataset_null", name=name, key=key)


def _nulls(process: Mapping[str, Any]) -> Iterator[Remark]:
    names = {path: name for name, path in PATHS.items()} | {"sample.samples": "prompts"}
    for path in FACTS["fails_on_null"]:
        if value_at(process, path) is None:
            yield _remark("null", path=path)._replace(field=names.get(path, "extra"))


def _unknown(value: Any, known: Any, above: str = "") -> Iterator[str]:
    """Yield the dotted paths of keys that the trainer does not read, with the nearest known."""
    if isinstance(value, Sequence) and isinstance(known, list) and not isinstance(value, str):
        for item in value:
            yield from _unknown(item, known[0] if known else None, above)
    # What is empty here takes any key, such as the options of an optimizer.
    if not isinstance(value, Mapping) or not isinstance(known, Mapping) or not known:
        return
    ours = {name: path.rpartition(".") for name, path in PATHS.items()}
    for key, item in value.items():
        if key in known:
            yield from _unknown(item, known[key], f"{above}{key}.")
            continue
        if f"{above}{key}" in PATHS.values():
            continue  # ours: it is kept for us, and the trainer does not read it
        section, _, leaf = ours.get(key, ("", "", ""))
        near = section.removesuffix("[x]") == above[:-1] and leaf
        hint = f"; did you mean {near!r}?" if near else did_you_mean(key, known)
        yield f"{above}{key}{f' ({hint[2:]})' if hint else ''}"


def _section(process: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = process.get(key)
    return value if isinstance(value, Mapping) else {}


_NEEDS = {
    "sample.ctrl_img": "a control image for samples (set it in extra)",
    "sample.multi_ctrl_imgs": "control images for samples of edits (set them in extra)",
}


def advice(params: Fields, *, architecture: bool = True) -> list[Remark]:
    """Return remarks on fields; those that do not fail keep no job from being started.

    Args:
        params: The parameters.
        architecture: Whether to say what the architecture requires.
    """
    found = _schedule(params) | _network_fields(params)
    if architecture and (preset := presets.load().get(params.arch)):
        found |= _architecture(params, preset)
    for name, value in preset_fields(params.arch).items():
        if isinstance(value, str) and value not in schema()[name].get("enum", [value]):
            found[name] = f"the server's own value, {value!r}, is unknown here (set it in extra)"
    if params.dataset in params.extra_datasets:
        found["extra_datasets"] = f"{params.dataset!r} is used twice"
    if "around" in aside_of(params.extra) and (paths := _paths(parse_extra(params.extra))):
        listed = some(paths, _LISTED)
        found["extra"] = f"settings without a field of their own, kept as they are: {listed}"
    ours = [Remark(field, text) for field, text in found.items()]
    if mute := aside_of(params.extra).get("here", {}).get("type"):
        text = f"type {mute} is sent as diffusion_trainer, which reports to the web UI"
        ours.append(Remark("extra", text))
    return [*ours, *remarks(process_of(draft(params).config))]


def _paths(value: Mapping[str, Any], above: str = "") -> list[str]:
    """Return the dotted paths of the values in a mapping."""
    found: list[str] = []
    for key, item in value.items():
        inner = item if is_mappings(item) else [item] if isinstance(item, Mapping) and item else []
        found += [path for one in inner for path in _paths(one, f"{above}{key}.")]
        found += [] if inner else [f"{above}{key}"]
    return [*dict.fromkeys(found)]


def _schedule(params: Fields) -> dict[str, str]:
    found = {}
    if params.prompts and params.sample_every > params.steps:
        found["sample_every"] = (
            f"with {params.steps} steps, samples are only taken before and after the training"
        )
    saves = (params.steps - 1) // params.save_every
    if params.save_every >= params.steps:
        found["save_every"] = f"with {params.steps} steps, there is no checkpoint before the end"
    elif saves > params.max_saves:
        found["max_saves"] = f"only the last {params.max_saves} of {saves} checkpoints are kept"
    return found


def _network_fields(params: Fields) -> dict[str, str]:
    if params.network == "lokr":
        return _lokr(params)
    return {"lokr_factor": "only LoKr networks use it"} if params.lokr_factor != -1 else {}


def _lokr(params: Fields) -> dict[str, str]:
    """Return what a LoKr ignores, unless `extra` says that its rank is not full."""
    network = parse_extra(params.extra).get("network") or {}
    if network.get("lokr_full_rank", True) is False:
        return {}
    fields = type(params).model_fields
    chosen = (name for name in ("rank", "alpha") if getattr(params, name) != fields[name].default)
    return dict.fromkeys(chosen, "a full-rank LoKr ignores it")


def _architecture(params: Fields, preset: Preset) -> dict[str, str]:
    found, remarks = {}, []
    uses = [_NEEDS[need] for need in preset.needs if need in _NEEDS]
    if preset.control_keys and not params.control_datasets:
        uses.insert(0, "control images (set control_datasets)")
    if uses:
        remarks.append(f"{preset.label} uses {' and '.join(uses)}")
    if preset.gate_url and not params.base_model:
        remarks.append(
            f"its weights are gated: request access at {preset.gate_url} and set a token on the "
            "server"
        )
    if remarks:
        found["arch"] = "; ".join(remarks)
    if "datasets.num_frames" in preset.needs:
        if params.num_frames == 1 and not preset.defaults.get("datasets[x].auto_frame_count"):
            found["num_frames"] = f"{preset.label} generates videos; 1 trains on still images"
    elif params.num_frames > 1:
        found["num_frames"] = f"{preset.label} generates single images"
    return found
