"""The job config: what is posted, how it is compared, and where the presets land."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.training import presets
from aitk_nb.training.config_diff import differences, fingerprint
from aitk_nb.training.config_paths import MISSING, merge, value_at
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from tests.loops import for_each

CONTRACTS = Path(__file__).parents[3] / "shared" / "contracts"


def contract(name: str) -> str:
    """Return a text of the contracts, or skip where they are not at hand."""
    path = CONTRACTS / name
    if not path.is_file():
        pytest.skip(f"{name} of the contracts is not at hand")
    return path.read_text(encoding="utf-8")


def params(**fields: Any) -> TrainingParams:
    """Return parameters with these fields."""
    return TrainingParams(**{"name": "cat", "dataset": "cats", **fields})


def process(**fields: Any) -> dict[str, Any]:
    """Return the process of the config that these fields mean."""
    found: dict[str, Any] = draft(params(**fields)).config["config"]["process"][0]
    return found


def at(config: Any, path: str) -> Any:
    """Return what stands at a dotted path."""
    for part in path.replace("[x]", ".0").split("."):
        config = config[int(part)] if part.isdigit() else config[part]
    return config


# -- what is posted -------------------------------------------------------------------------------


def test_the_default_is_what_the_web_ui_posts() -> None:
    """Except for what the parameters say, and the paths, which the backend puts in."""
    text = re.search(r"## 7\..*?```json\n(.*?)```", contract("web-ui.md"), re.DOTALL)
    assert text
    theirs = json.loads(re.sub(r',\s*"\.\.\. 10 in all"', "", text[1]))
    prompt = at(theirs, "config.process.0.sample.samples.0.prompt")
    ours = draft(params(name="my_first_lora_v1", prompts=[prompt])).config

    process = theirs["config"]["process"][0]
    process["datasets"][0]["folder_path"] = "cats"
    process["training_seed"] = 42
    del process["training_folder"]
    del ours["meta"]["aitk_nb"]
    assert theirs == ours


def test_parameters_stand_where_the_trainer_reads_them() -> None:
    """Each at its place."""
    found = process(
        extra_datasets=["dogs"],
        base_model="org/model",
        steps=7,
        learning_rate=2e-5,
        batch_size=3,
        rank=8,
        alpha=4,
        resolution="256",
        trigger_word="zwx",
        save_every=5,
        sample_every=6,
        prompts=["one", "two"],
        seed=9,
    )

    assert ["cats", "dogs"] == [dataset["folder_path"] for dataset in found["datasets"]]
    assert [[256], [256]] == [dataset["resolution"] for dataset in found["datasets"]]
    assert "txt" == found["datasets"][1]["caption_ext"]
    assert ("org/model", 7, 2e-5, 3) == (
        found["model"]["name_or_path"],
        found["train"]["steps"],
        found["train"]["lr"],
        found["train"]["batch_size"],
    )
    assert (8, 4) == (found["network"]["linear"], found["network"]["linear_alpha"])
    assert ("zwx", 5, 6) == (
        found["trigger_word"],
        found["save"]["save_every"],
        found["sample"]["sample_every"],
    )
    assert [{"prompt": "one"}, {"prompt": "two"}] == found["sample"]["samples"]
    assert (9, 9) == (found["sample"]["seed"], found["training_seed"])
    assert found["logging"]["use_ui_logger"] is True


def test_without_prompts_there_are_no_samples() -> None:
    """Rather than the web UI's ten of its own."""
    assert process()["train"]["disable_sampling"] is True
    assert [] == process()["sample"]["samples"]
    assert process(prompts="a cat")["train"]["disable_sampling"] is False


def test_names_agree() -> None:
    """Else the run completes and its files stay hidden."""
    made = draft(params(name="Été 🐈"))
    assert "Été 🐈" == made.name == made.config["config"]["name"]
    assert "training_folder" not in made.config["config"]["process"][0]


def test_extra_comes_last_and_deep() -> None:
    """It changes what it names and leaves the rest."""
    found = process(
        steps=5,
        extra_datasets=["dogs"],
        extra="train: {steps: 6, ema_config: {use_ema: true}}\n"
        "datasets: [{}, {num_repeats: 2}]\nnew_thing: [1, {a: 1e-4}]\n",
    )

    assert 6 == found["train"]["steps"]
    assert {"use_ema": True, "ema_decay": 0.99} == found["train"]["ema_config"]
    assert [1, 2] == [dataset["num_repeats"] for dataset in found["datasets"]]
    assert ["cats", "dogs"] == [dataset["folder_path"] for dataset in found["datasets"]]
    assert [1, {"a": 1e-4}] == found["new_thing"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
        max_leaves=12,
    ).filter(lambda value: isinstance(value, dict))
)
def test_merging_takes_nothing_from_the_change(change: dict[str, Any]) -> None:
    """What was merged can be changed afterwards, and merging again changes nothing."""
    into: dict[str, Any] = {"a": {"b": [{"c": 1}]}, "b": 2}
    before = copy.deepcopy(change)

    merge(into, change)
    once = copy.deepcopy(into)
    merge(into, change)

    assert once == into
    assert before == change


# -- presets --------------------------------------------------------------------------------------


def test_the_presets_are_the_contracts() -> None:
    """All 58 architectures, with every value."""
    names = ("model-presets.json", "model-presets-0.13.json")
    listed = [entry for name in names for entry in json.loads(contract(name))]
    theirs = {entry["arch"]: entry for entry in listed}
    ours = presets.packaged()

    assert theirs.keys() == ours.keys()
    for arch, entry in theirs.items():
        preset = ours[arch]
        assert entry["defaults"] == preset.defaults
        assert (entry["label"], entry["group"], entry["video"]) == (
            preset.label,
            preset.group,
            preset.video,
        )
        assert tuple(entry["needs"]) == preset.needs
        assert (entry["gate_url"] or "") == preset.gate_url


@for_each("arch", presets.load())
def test_a_preset_lands_at_its_paths(arch: str) -> None:
    """What choosing the model in the web UI sets, this sets; the parameters come after it."""
    defaults = presets.load()[arch].defaults
    found = process(arch=arch)

    for path, value in defaults.items():
        assert (MISSING if value is None else value) == value_at(found, path), path
    assert arch == found["model"]["arch"]
    assert found["model"]["name_or_path"]
    assert "mine" == process(arch=arch, base_model="mine")["model"]["name_or_path"]


def test_a_draft_never_changes_the_presets() -> None:
    """Neither the next draft's."""
    before = copy.deepcopy(dict(presets.load()["wan22_14b:t2v"].defaults))
    config = draft(params(arch="wan22_14b:t2v")).config
    config["config"]["process"][0]["model"]["model_kwargs"]["x"] = 1
    config["config"]["process"][0]["datasets"][0]["resolution"].append(1)

    assert before == presets.load()["wan22_14b:t2v"].defaults
    assert "x" not in process(arch="wan22_14b:t2v")["model"]["model_kwargs"]
    assert [512, 768, 1024] == process()["datasets"][0]["resolution"]


# -- comparing ------------------------------------------------------------------------------------


def on_server(config: Any, folders: str = "/srv") -> Any:
    """Return the config as a server has it: with its paths, and as its JavaScript writes JSON."""
    separator = "\\" if "\\" in folders else "/"
    theirs = json.loads(json.dumps(config))
    process = theirs["config"]["process"][0]
    process["training_folder"] = f"{folders}{separator}output"
    process["sqlite_db_path"] = f"{folders}{separator}aitk_db.db"
    for dataset in process["datasets"]:
        dataset["folder_path"] = f"{folders}{separator}datasets{separator}{dataset['folder_path']}"
    return theirs


@pytest.mark.parametrize("folders", ["/srv", "/home/me/ai toolkit", "C:\\ai-toolkit"])
def test_paths_do_not_count(folders: str) -> None:
    """The same config on any server is the same."""
    ours = draft(params(extra_datasets=["dogs"])).config
    theirs = on_server(ours, folders)

    assert fingerprint(ours) == fingerprint(theirs) == ours["meta"]["aitk_nb"]["fingerprint"]
    assert () == differences(theirs, ours)


def test_gpu_device_and_notes_do_not_count() -> None:
    """Neither does another GPU, nor what others wrote beside our note."""
    ours = draft(params()).config
    moved = draft(params(gpu_ids="1")).config
    theirs = on_server(ours)
    theirs["config"]["process"][0]["device"] = "mps"
    theirs["meta"].pop("aitk_nb")

    assert fingerprint(ours) == fingerprint(moved) == fingerprint(theirs)


@given(st.integers(-(2**53), 2**53), st.integers(0, 2))
def test_whole_numbers_are_the_same_as_floats(number: int, place: int) -> None:
    """JavaScript writes 1.0 as 1."""
    path = ("train", "sample", "model")[place]
    whole, floating = draft(params()).config, draft(params()).config
    whole["config"]["process"][0][path]["x"] = [number]
    floating["config"]["process"][0][path]["x"] = [float(number)]

    assert fingerprint(whole) == fingerprint(floating)
    assert () == differences(whole, floating)


CHANGES: dict[str, Any] = {
    "dataset": "dogs",
    "extra_datasets": ["dogs"],
    "control_datasets": ["cats_control"],
    "arch": "flux",
    "base_model": "org/other",
    "steps": 9,
    "more_steps": 9,
    "init_lora": "dog@9",
    "validation": "held_out",
    "validate_every": 9,
    "learning_rate": 3e-4,
    "batch_size": 2,
    "rank": 4,
    "alpha": 7,
    "resolution": 512,
    "trigger_word": "zwx",
    "save_every": 9,
    "sample_every": 9,
    "prompts": ["a cat"],
    "quantize": "uint4",
    "quantize_te": "",
    "low_vram": True,
    "network": "lokr",
    "lokr_factor": 8,
    "optimizer": "prodigyopt",
    "gradient_accumulation": 2,
    "num_frames": 9,
    "caption_dropout": 0.1,
    "timestep_type": "linear",
    "dtype": "fp16",
    "ema": 0.99,
    "max_saves": 9,
    "sample_width": 64,
    "sample_height": 64,
    "sample_frames": 9,
    "sample_steps": 9,
    "guidance": 1.5,
    "sample_seed": 1,
    "seed": 1,
    "extra": "train: {optimizer: prodigy}",
}


GROUND: dict[str, dict[str, Any]] = {
    "control_datasets": {"arch": "flux2"},
    "validate_every": {"validation": "held_out"},
}
"""What a change needs beside it."""


def test_every_parameter_is_here() -> None:
    """The name is the identity, and the GPU does not count."""
    assert TrainingParams.model_fields.keys() - {"name", "gpu_ids"} == CHANGES.keys()


@pytest.mark.parametrize("field", CHANGES)
def test_every_parameter_counts(field: str) -> None:
    """A job with another value is another job, and the difference can be read."""
    ground = GROUND.get(field, {})
    ours = draft(params(**ground)).config
    theirs = on_server(draft(params(**ground, **{field: CHANGES[field]})).config)

    assert fingerprint(ours) != fingerprint(theirs)
    assert differences(theirs, ours)


def test_differences_can_be_read() -> None:
    """Where, what is there, and what was meant; short; a default that is left out is none."""
    have = on_server(draft(params(steps=100, trigger_word="x" * 200)).config)
    want = draft(params(steps=200, extra="train: {optimizer: prodigy}\nnew: 1")).config
    del have["config"]["process"][0]["train"]["loss_type"]

    found = differences(have, want)

    assert 'train.optimizer is "adamw8bit", not "prodigy"' in found
    assert "train.steps is 100, not 200" in found
    assert not any("loss_type" in one for one in found)
    assert "new is absent, not 1" in found
    (trigger,) = (text for text in found if text.startswith("trigger_word"))
    assert trigger.endswith("…, not null")
    assert len(trigger) < 100


def test_another_dataset_is_a_difference_by_name() -> None:
    """Not by a path of the server."""
    have = on_server(draft(params(dataset="dogs")).config)
    assert ('datasets.0.folder_path is "dogs", not "cats"',) == differences(
        have, draft(params()).config
    )


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config": None},
        {"config": {"process": []}},
        {"config": {"process": [None]}},
        {"config": {"process": [{"datasets": None}]}},
        {"config": {"process": [{"datasets": [{"folder_path": None}]}]}},
        {"config": {"process": [{"datasets": [5]}]}, "meta": 5},
        {"job": "train", "config": {"name": "cat", "process": [{"type": "x"}]}},
    ],
)
def test_a_job_of_somebody_else_may_have_any_form(config: dict[str, Any]) -> None:
    """It is compared all the same."""
    assert differences(config, draft(params()).config)
    assert () == differences(config, config)
    assert 64 == len(fingerprint(config))
