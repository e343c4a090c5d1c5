"""What is allowed and seldom meant: remarks on training parameters that fit badly together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aitk_nb.training import presets
from aitk_nb.training.extra import aside_of, parse_extra
from aitk_nb.training.fields import Fields
from aitk_nb.training.presets import Preset

__all__ = ["advice"]

_NAMED = 8
"""Settings without a field that are named in a remark."""

_NEEDS = {
    "sample.ctrl_img": "a control image for samples, which extra names",
    "sample.multi_ctrl_imgs": "control images for samples, if it is to edit, which extra names",
}


def advice(params: Fields) -> dict[str, str]:
    """Return a remark by field; nothing in it keeps a training from being started."""
    found = _schedule(params) | _network(params)
    if preset := presets.load().get(params.arch):
        found |= _architecture(params, preset)
    twice = [name for name in params.extra_datasets if name == params.dataset]
    if twice:
        found["extra_datasets"] = f"{params.dataset!r} is trained on twice"
    if "around" in aside_of(params.extra) and (paths := _paths(parse_extra(params.extra))):
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        listed = ", ".join(paths[:_NAMED])
        found["extra"] = f"holds what has no field of its own: {listed}{more}"
    return found


def _paths(value: Mapping[str, Any], above: str = "") -> list[str]:
    """Return the dotted paths of what stands in a mapping, down to what is none."""
    found: list[str] = []
    for key, item in value.items():
        inner = isinstance(item, Mapping) and item
        found += _paths(item, f"{above}{key}.") if inner else [f"{above}{key}"]
    return found


def _schedule(params: Fields) -> dict[str, str]:
    found = {}
    if params.prompts and params.sample_every > params.steps:
        found["sample_every"] = (
            f"with {params.steps} steps there are samples before and after the training only"
        )
    saves = (params.steps - 1) // params.save_every
    if params.save_every >= params.steps:
        found["save_every"] = f"with {params.steps} steps there is no checkpoint before the end"
    elif saves > params.max_saves:
        found["max_saves"] = f"only the last {params.max_saves} of {saves} checkpoints are kept"
    return found


def _network(params: Fields) -> dict[str, str]:
    if params.network == "lokr":
        return _lokr(params)
    if params.alpha > params.rank:
        return {
            "alpha": f"{params.alpha} is more than the rank {params.rank}, which multiplies the "
            f"learning rate by {params.alpha / params.rank:.3g}"
        }
    if params.network == "lora" and params.lokr_factor != -1:
        return {"lokr_factor": "only a LoKr has one"}
    return {}


def _lokr(params: Fields) -> dict[str, str]:
    """Return what a LoKr passes over, unless `extra` says that its rank is not full."""
    network = parse_extra(params.extra).get("network") or {}
    if network.get("lokr_full_rank", True) is False:
        return {}
    fields = type(params).model_fields
    chosen = (name for name in ("rank", "alpha") if getattr(params, name) != fields[name].default)
    return dict.fromkeys(chosen, "a LoKr of full rank takes no notice of it")


def _architecture(params: Fields, preset: Preset) -> dict[str, str]:
    found = {}
    said = [_NEEDS[need] for need in preset.needs if need in _NEEDS]
    if preset.control_keys and not params.control_datasets:
        said = ["control images, which control_datasets names", *said]
    if said:
        found["arch"] = f"{preset.label} takes {', and '.join(said)}"
    if preset.gate_url and not params.base_model:
        gate = f"its weights are given out at {preset.gate_url}; the server needs a token for them"
        found["arch"] = f"{found['arch']}; {gate}" if "arch" in found else gate
    if "datasets.num_frames" in preset.needs:
        if params.num_frames == 1 and not preset.defaults.get("datasets[x].auto_frame_count"):
            found["num_frames"] = f"{preset.label} makes videos; with 1 it learns from stills"
    elif params.num_frames > 1:
        found["num_frames"] = f"{preset.label} makes single images"
    return found
