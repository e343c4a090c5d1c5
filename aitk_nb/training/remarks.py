"""What the trainer silently does with a job config, where somebody would expect something else."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aitk_nb._units import plural
from aitk_nb.models.control_images import CONTROL_KEYS
from aitk_nb.training.config_paths import is_mappings, value_at
from aitk_nb.training.default_config import trainer_defaults
from aitk_nb.training.effective import alpha_counts, effective, has_convolutions, resolutions
from aitk_nb.training.fields import PATHS
from aitk_nb.training.presets import FACTS, arch_remark
from aitk_nb.training.validation import did_you_mean

_LISTED = 8


class Remark(NamedTuple):
    """One thing that the trainer does with a job config."""

    field: str
    """The field of the parameters that it is about; `extra` if none is."""
    text: str
    fails: bool = False
    """True if the trainer ends with an error because of it."""


def remarks(process: Mapping[str, Any]) -> Iterator[Remark]:
    """Yield what the trainer makes of a process, where that is rarely intended.

    Args:
        process: The process of a job config as it is sent.
    """
    read = effective(process)
    if (kind := process.get("type")) not in FACTS["trainers"]:
        yield Remark("extra", f"type {kind!r} is no training that is known here")
    yield from _network(process, read)
    yield from _model(process, read)
    yield from _training(process, read)
    yield from _samples(process)
    yield from _datasets(process, read)
    yield from _nulls(process)
    if unknown := list(_unknown(process, trainer_defaults())):
        more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        yield Remark("extra", f"the trainer ignores {', '.join(unknown[:_LISTED])}{more}")


def _network(process: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Remark]:
    given, network = process.get("network"), read["network"]
    if network is None:
        text = "without it, the whole model is trained, and no LoRA comes of it"
        yield Remark("network", text)
    if not isinstance(given, Mapping) or not isinstance(network, Mapping):
        return
    rank, alpha = network["linear"], network["linear_alpha"]
    if given.get("linear", rank) != rank:
        yield Remark("rank", f"network.rank ({rank}) wins over linear ({given['linear']})")
    if network["type"] == "lokr" and network["lokr_full_rank"]:
        return
    arch = str(value_at(read, "model.arch"))
    counts = alpha_counts(arch)
    absent = "the job has none, so the trainer takes 1; " if "linear_alpha" not in given and (
        "alpha" not in given
    ) else ""  # fmt: skip
    if counts is False and alpha != rank:
        yield Remark("alpha", f"{absent}it has no effect on {arch}: alpha is always the rank there")
    elif counts and alpha != rank and isinstance(alpha, int | float) and isinstance(rank, int):
        times = f"{alpha / rank:.3g}" if rank else "?"
        yield Remark("alpha", f"{absent}the LoRA is scaled by alpha / rank = {times}")
    if has_convolutions(arch) and network["conv"] != rank:
        conv = network["conv"]
        trained = f"trained at rank {conv}" if conv else "not trained"
        yield Remark("rank", f"convolution layers are {trained} (network.conv)")


def _model(process: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Remark]:
    model = read["model"] if isinstance(read["model"], Mapping) else {}
    given = process.get("model")
    given = given if isinstance(given, Mapping) else {}
    arch = str(model.get("arch"))
    if given.get("arch") is None and arch == "sd1":
        yield Remark("arch", "the job names none, so the trainer takes the model as sd1")
    elif text := arch_remark(arch):
        yield Remark("arch", text)
    if not model.get("name_or_path"):
        yield Remark("base_model", "the trainer ends without one", fails=True)
    if "|" in str(model.get("qtype")) and model.get("assistant_lora_path"):
        text = "a recovery adapter and assistant_lora_path exclude each other"
        yield Remark("quantize", text, fails=True)
    if arch in ("qwen_image_edit", "boogu_image_edit") and value_at(
        read, "train.unload_text_encoder"
    ) is True:  # fmt: skip
        yield Remark("arch", f"{arch} cannot be trained with unload_text_encoder", fails=True)


def _training(process: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Remark]:
    train = read["train"] if isinstance(read["train"], Mapping) else {}
    at_once, legacy = (train.get(key) for key in ("gradient_accumulation", _LEGACY))
    if legacy != 1 and isinstance(at_once, int) and at_once > 1:
        text = f"gradient_accumulation and {_LEGACY} exclude each other"
        yield Remark("gradient_accumulation", text, fails=True)
    elif legacy != 1:
        text = f"{_LEGACY} is {legacy}: a step takes one batch, and as far as the trainer's code "
        text += "shows only the last one before the optimizer acts has an effect; set "
        text += "gradient_accumulation instead"
        yield Remark("gradient_accumulation", text)
    rate, optimizer = train.get("lr"), str(train.get("optimizer")).lower()
    if optimizer.startswith(("prodigy", "dadaptation")) and _below(rate, 0.1):
        yield Remark("learning_rate", f"{optimizer} begins with 1.0 for any value below 0.1")
    ignored = [key for key in ("unet_lr", "text_encoder_lr") if key in _section(process, "train")]
    if ignored:
        text = f"train.lr is used for all; {' and '.join(ignored)} has no effect"
        yield Remark("learning_rate", text)
    for first, second in (
        ("bypass_guidance_embedding", "do_guidance_loss"),
        ("diff_output_preservation", "blank_prompt_preservation"),
    ):
        if train.get(first) and train.get(second):
            yield Remark("extra", f"{first} and {second} exclude each other", fails=True)
    if train.get("diff_output_preservation") and not process.get("trigger_word"):
        yield Remark("trigger_word", "diff_output_preservation requires one", fails=True)
    if not value_at(read, "logging.use_ui_logger"):
        text = "logging.use_ui_logger is off: no losses are kept to plot, unless extra has "
        yield Remark("extra", f"{text}'logging: {{use_ui_logger: true}}'")
    if (kind := value_at(read, "save.save_format")) not in ("safetensors", "diffusers"):
        yield Remark("extra", f"save_format {kind!r} is unknown to the trainer", fails=True)


_LEGACY = "gradient_accumulation_steps"


def _samples(process: Mapping[str, Any]) -> Iterator[Remark]:
    sample = _section(process, "sample")
    prompts = sample.get("prompts")
    if "samples" in sample and isinstance(prompts, list) and prompts:
        what = "an empty sample.samples hides" if sample["samples"] == [] else "samples wins over"
        yield Remark("prompts", f"{what} {plural(len(prompts), 'prompt')} of sample.prompts")


def _datasets(process: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Remark]:
    given, entries = process.get("datasets"), read["datasets"]
    if not is_mappings(given) or not is_mappings(entries):
        yield Remark("dataset", "there is none, so nothing to train on", fails=True)
        return
    dropped = [entry for entry in entries if not resolutions(entry)]
    for entry in dropped:
        text = f"it is empty, so the trainer leaves {entry['folder_path']!r} out"
        yield Remark("resolution", text, fails=len(dropped) == len(entries))
    if all(entry["is_reg"] for entry in entries):
        yield Remark("dataset", "all are for regularization, so nothing is trained on", fails=True)
    buckets = [bool(entry["buckets"]) for entry in entries]
    if any(buckets) and not all(buckets):
        yield Remark("dataset", "some have buckets and some have not", fails=True)
    for entry, raw in zip(entries, given, strict=True):
        name = repr(entry["folder_path"])
        if raw.get("control_path") and any(raw.get(key) for key in CONTROL_KEYS[1:]):
            yield Remark("control_datasets", f"control_path_1 to 3 win over control_path in {name}")
        if entry["batch_size"] is not None and not entry["buckets"]:
            yield Remark("batch_size", f"that of {name} requires buckets", fails=True)
        if not isinstance(entry["num_repeats"], int):
            text = f"num_repeats of {name} is {entry['num_repeats']!r}, not a whole number"
            yield Remark("dataset", text, fails=True)
        if entry["poi"] is not None:
            yield Remark("dataset", f"{name} has poi, which is no longer supported", fails=True)
        if entry["type"] != "image":
            yield Remark("dataset", f"type {entry['type']!r} of {name} is unknown", fails=True)
        for key in FACTS["fails_on_null_in_dataset"]:
            if entry[key] is None:
                yield Remark("dataset", f"{key} of {name} is null", fails=True)


def _nulls(process: Mapping[str, Any]) -> Iterator[Remark]:
    names = {path: name for name, path in PATHS.items()} | {"sample.samples": "prompts"}
    for path in FACTS["fails_on_null"]:
        if value_at(process, path) is None:
            text = f"{path} is null, of which the trainer makes no default"
            yield Remark(names.get(path, "extra"), text, fails=True)


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


def _below(value: object, limit: float) -> bool:
    return isinstance(value, int | float) and value < limit
