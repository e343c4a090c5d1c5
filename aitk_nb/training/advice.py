"""Remarks on training parameters: legal and rarely intended, or refused by the trainer alone."""

from collections.abc import Mapping
from typing import Any

from aitk_nb.training import presets
from aitk_nb.training.config_paths import is_mappings
from aitk_nb.training.extra import aside_of, parse_extra, process_of
from aitk_nb.training.fields import Fields, preset_fields, schema
from aitk_nb.training.job_config import draft
from aitk_nb.training.presets import Preset
from aitk_nb.training.remarks import Remark, remarks

_LISTED = 8
"""Settings without a field that are listed in a remark."""

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
    found = _schedule(params) | _network(params)
    if architecture and (preset := presets.load().get(params.arch)):
        found |= _architecture(params, preset)
    for name, value in preset_fields(params.arch).items():
        if isinstance(value, str) and value not in schema()[name].get("enum", [value]):
            found[name] = f"the server's own value, {value!r}, is unknown here (set it in extra)"
    if params.dataset in params.extra_datasets:
        found["extra_datasets"] = f"{params.dataset!r} is used twice"
    if "around" in aside_of(params.extra) and (paths := _paths(parse_extra(params.extra))):
        more = f" and {len(paths) - _LISTED} more" if len(paths) > _LISTED else ""
        listed = ", ".join(paths[:_LISTED])
        found["extra"] = f"settings without a field of their own, kept as they are: {listed}{more}"
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


def _network(params: Fields) -> dict[str, str]:
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
