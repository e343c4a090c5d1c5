"""The config of an untouched job for each architecture, held against the web UI's own form.

`data/webui_jobs.json` holds what the form for a new job posts when a model is chosen in it and
nothing else is touched (ostris/ai-toolkit 0.12.26): the config that the form starts with, and by
architecture which leaves the choice sets and which it takes out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aitk_nb.training import presets
from aitk_nb.training.config_diff import plain_numbers
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from tests.loops import for_each

FACTS = json.loads((Path(__file__).parent / "data" / "webui_jobs.json").read_text("utf-8"))
OURS: dict[str, Any] = {
    # A client cannot know the server's folders; the backend puts them in.
    "training_folder": None,
    "datasets.0.folder_path": "cats",
    # The form's ten example prompts belong to nobody's LoRA: without prompts there are no samples.
    "train.disable_sampling": True,
    # The form has no field for the seed of the training, which the trainer would draw at random.
    "training_seed": 42,
}
"""Where a config of ours is meant to differ from the form's, and what it has there."""


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Return what stands at each path; a list of anything but mappings is one value."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        items = enumerate(value)
    if not items:
        return {path: value}
    return {
        place: leaf
        for key, item in items
        for place, leaf in leaves(item, f"{path}.{key}".lstrip(".")).items()
    }


def typed(found: dict[str, Any]) -> dict[str, str]:
    """Return each value as JSON has it, in which yes is not 1 and a text is no number."""
    return {path: json.dumps(plain_numbers(value)) for path, value in found.items()}


NEWER: dict[str, dict[str, Any]] = {
    "hidream_o1": {"train.timestep_type": "weighted"},
    "minimax_h3": {
        "model.assistant_lora_path": "ostris/minimax_h3_training_adapter/"
        "minimax_h3_training_adapter_v3.safetensors",
    },
    "minimax_h3_ref2va": {
        "model.assistant_lora_path": "ostris/minimax_h3_training_adapter/"
        "minimax_h3_ref2va_training_adapter_v2.safetensors",
    },
}
"""What 0.13 sets otherwise; it sets no guidance loss for them."""
NEW = {"iris3b", "ming_image", "minimax_h3_vsa", "qwen25_omni", "qwen_image_2", "yue2"}


def posted(arch: str) -> dict[str, str]:
    """Return what the web UI posts for an architecture, with what is ours put in."""
    facts = FACTS["architectures"][arch]
    theirs = leaves(FACTS["default"])
    for path in list(theirs):
        # What is set may be a mapping where an empty one was.
        if any(changed.startswith(f"{path}.") for changed in facts["set"]):
            del theirs[path]
    theirs |= facts["set"] | NEWER.get(arch, {})
    if arch in NEWER:
        theirs = {path: value for path, value in theirs.items() if "guidance_loss" not in path}
    meant = typed({path: value for path, value in theirs.items() if path not in facts["gone"]})
    return {path: text for path, text in meant.items() if path not in OURS}


def test_all_architectures_of_the_form_are_there() -> None:
    """The 52 of 0.12.26 and 6 newer ones, which say so, and no other."""
    ours = presets.packaged()
    assert 52 == len(FACTS["architectures"])
    assert ours.keys() == FACTS["architectures"].keys() | NEW
    assert {arch for arch, preset in ours.items() if preset.since} == NEW


@for_each("arch", sorted(FACTS["architectures"]))
def test_an_untouched_job_is_the_forms_own(arch: str) -> None:
    """Key by key: the same keys, the same types, the same values."""
    config = draft(TrainingParams(name="cat", dataset="cats", arch=arch)).config
    ours = typed(leaves(config["config"]["process"][0]))

    assert posted(arch) == {path: text for path, text in ours.items() if path not in OURS}
    for path, value in OURS.items():
        assert (value is None) == (path not in ours)
        assert value is None or json.dumps(value) == ours[path]
