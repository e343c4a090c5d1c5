"""What is said of job files: the trainer's silent traps, and what changing a field does to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aitk_nb.errors import InvalidParams
from aitk_nb.training.advice import advice
from aitk_nb.training.extra import process_of
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from tests.training.test_trainer_reading import job


def sent(params: TrainingParams) -> dict[str, Any]:
    """Return the process that is posted for these parameters."""
    return process_of(draft(params).config)


def said(changes: str, **fields: Any) -> dict[str, str]:
    """Return the remarks on a job file by field."""
    return dict(TrainingParams.from_config(job(changes), **fields).advice)


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ("network: null", "network", "the whole model is trained, and no LoRA comes of it"),
        ("network: {linear: 32}", "alpha", "the job has none, so the trainer takes 1; it has no"),
        (
            "network: {linear: 32}\nmodel: {name_or_path: m, arch: sdxl}",
            "alpha",
            "so the trainer takes 1; the LoRA is scaled by alpha / rank = 0.0312",
        ),
        (
            "network: {linear: 16, rank: 4, linear_alpha: 4}",
            "rank",
            "network.rank (4) wins over linear (16)",
        ),
        (
            "network: {linear: 8, linear_alpha: 8, conv: 4}\nmodel: {name_or_path: m, arch: sd15}",
            "rank",
            "convolution layers are trained at rank 4",
        ),
        ("model: {name_or_path: m, arch: sd15}", "rank", "convolution layers are not trained"),
        ("model: {name_or_path: m}", "arch", "the job names none, so the trainer takes the model"),
        ("model: {name_or_path: m, arch: no_such}", "arch", "0.13.22 does not list 'no_such'; a"),
        (
            "sample: {samples: [], prompts: [a, b]}",
            "prompts",
            "an empty sample.samples hides 2 prompts",
        ),
        ("sample: {samples: [{prompt: x}], prompts: [a]}", "prompts", "samples wins over 1 prompt"),
        (
            "datasets: [{folder_path: /d/a, control_path: /d/b, control_path_1: /d/c}]",
            "control_datasets",
            "control_path_1 to 3 win over control_path",
        ),
        (
            "train: {gradient_accumulation_steps: 4, lr: 1e-4}",
            "gradient_accumulation",
            "a step takes one batch",
        ),
        (
            "train: {optimizer: Prodigy, lr: 1e-4}",
            "learning_rate",
            "prodigy begins with 1.0 for any value below 0.1",
        ),
        ("train: {unet_lr: 1, lr: 1e-4}", "learning_rate", "train.lr is used for all; unet_lr"),
        ("", "extra", "no losses are kept to plot"),
        ("train: {learning_rate: 1e-4}", "extra", "train.learning_rate (did you mean 'lr'?)"),
        ("datasets: [{folder_path: /d/a, num_repeat: 3}]", "extra", "did you mean 'num_repeats'?"),
        ("sample: {smples: []}", "extra", "sample.smples (did you mean 'samples'?)"),
        ("trigger_words: x", "extra", "trigger_words (did you mean 'trigger_word'?)"),
        ("network: {linear: 4, zzz: 1}", "extra", "the trainer ignores network.zzz"),
    ],
)
def test_silent_traps_are_told(changes: str, field: str, text: str) -> None:
    """None of them keeps a job from being started."""
    assert text in said(changes)[field]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ("model: {arch: flux}", "without one"),
        ("datasets: [{folder_path: /d/a, resolution: []}]", "leaves 'a' out"),
        ("datasets: [{folder_path: /d/a, is_reg: true}]", "nothing is trained on"),
        (
            "datasets: [{folder_path: /d/a}, {folder_path: /d/b, buckets: false}]",
            "some have buckets",
        ),
        ("datasets: [{folder_path: /d/a, buckets: false, batch_size: 2}]", "requires buckets"),
        ("datasets: [{folder_path: /d/a, num_repeats: 2.5}]", "2.5, not a whole number"),
        ("datasets: [{folder_path: /d/a, num_repeats: '2'}]", "'2', not a whole number"),
        ("datasets: [{folder_path: /d/a, poi: x}]", "no longer supported"),
        ("datasets: [{folder_path: /d/a, type: slider}]", "is unknown"),
        ("datasets: [{folder_path: /d/a, caption_dropout_rate: null}]", "is null"),
        ("train: {batch_size: null, lr: 1e-4}", "train.batch_size is null"),
        ("train: {steps: null, lr: 1e-4}", "train.steps is null"),
        ("sample: {samples: null}", "sample.samples is null"),
        (
            "train: {gradient_accumulation: 2, gradient_accumulation_steps: 2, lr: 1e-4}",
            "exclude each other",
        ),
        (
            "train: {bypass_guidance_embedding: true, do_guidance_loss: true, lr: 1e-4}",
            "exclude each other",
        ),
        ("train: {diff_output_preservation: true, lr: 1e-4}", "requires one"),
        ("save: {save_format: pt}", "is unknown to the trainer"),
        (
            "model: {name_or_path: m, arch: qwen_image_edit}\n"
            "train: {unload_text_encoder: true, lr: 1e-4}",
            "cannot be trained with unload_text_encoder",
        ),
        (
            "model: {name_or_path: m, arch: flux, qtype: 'uint4|x', assistant_lora_path: y}",
            "exclude each other",
        ),
    ],
)
def test_what_ends_the_trainer_is_a_problem(changes: str, text: str) -> None:
    """The preflight says so, before the model is loaded."""
    params = TrainingParams.from_config(job(changes))
    assert [remark for remark in advice(params) if remark.fails and text in remark.text]


def test_nothing_is_said_of_our_own_jobs() -> None:
    """Neither of a field that is set, nor of what the form of the web UI writes."""
    params = TrainingParams(name="cat", dataset="cats", prompts=["a"], max_saves=99)
    assert params.advice == {}


def test_a_field_that_is_set_is_what_is_trained() -> None:
    """The older key goes, and the file is otherwise as it was."""
    file = job("network: {type: lora, rank: 64, alpha: 32}")
    assert sent(TrainingParams.from_config(file))["network"] == {
        "type": "lora",
        "rank": 64,
        "alpha": 32,
    }
    other = sent(TrainingParams.from_config(file, rank=8))["network"]
    assert other == {"type": "lora", "linear": 8, "alpha": 32}
    assert sent(TrainingParams.from_config(file, alpha=8))["network"] == {
        "type": "lora",
        "rank": 64,
        "linear_alpha": 8,
    }


def test_of_two_keys_for_accumulation_one_is_sent() -> None:
    """Also if the value that is set is the one that the other key stands for."""
    file = job("train: {gradient_accumulation_steps: 4, lr: 1e-4}")
    for value in (1, 2):
        train = sent(TrainingParams.from_config(file, gradient_accumulation=value))["train"]
        assert "gradient_accumulation_steps" not in train
        assert train.get("gradient_accumulation", 1) == value


def test_another_architecture_takes_the_old_flag_back() -> None:
    """Or else the model would be taken for both."""
    file = job("model: {name_or_path: m, is_flux: true}")
    model = sent(TrainingParams.from_config(file, arch="sdxl"))["model"]
    assert (model["arch"], "is_flux" in model) == ("sdxl", False)


def test_other_prompts_take_the_old_list_back() -> None:
    """`samples` would hide it."""
    file = job("sample: {prompts: [a, b]}")
    assert sent(TrainingParams.from_config(file))["sample"]["prompts"] == ["a", "b"]
    sample = sent(TrainingParams.from_config(file, prompts=["c"]))["sample"]
    assert sample["samples"] == [{"prompt": "c"}]
    assert "prompts" not in sample


def test_what_is_shown_is_what_the_trainer_takes() -> None:
    """Also where a field does not take it."""
    shown = TrainingParams.from_config(job("train: {steps: 7, batch_size: null}"))._repr_html_()
    rows = dict(row.split("</th>")[0::1][:2] for row in shown.split("<tr>")[1:])
    values = {name.rpartition(">")[2]: value for name, value in rows.items()}
    assert ">7<" in values["steps"]
    assert "1e-06" in values["learning_rate"]
    assert "not set" in values["batch_size"]
    assert "not set" in values["seed"]


def test_a_dataset_path_is_kept_and_its_dataset_can_be_changed(tmp_path: Path) -> None:
    """The trainer takes it before `folder_path`."""
    file = job("datasets: [{folder_path: /d/a, dataset_path: /x/b, resolution: 256}]")
    params = TrainingParams.from_config(file)
    assert params.dataset == "b"
    again = TrainingParams.from_file(params.to_file(tmp_path / "again.yaml"))
    assert again == params
    other = TrainingParams.from_file(params.to_file(tmp_path / "x.yaml"), dataset="c")
    (entry,) = sent(other)["datasets"]
    assert (entry["folder_path"], "dataset_path" in entry) == ("c", False)


def test_an_empty_resolution_can_still_not_be_typed() -> None:
    """It would leave the dataset out."""
    with pytest.raises(InvalidParams, match="resolution"):
        TrainingParams(name="cat", dataset="cats", resolution=[])


def test_a_type_that_tells_the_web_ui_nothing_is_not_sent(tmp_path: Path) -> None:
    """Such a job stayed running for ever; the file keeps its type."""
    params = TrainingParams.from_config(job(""))
    assert sent(params)["type"] == "diffusion_trainer"
    assert "type sd_trainer is sent as diffusion_trainer" in params.advice["extra"]
    again = params.to_file(tmp_path / "again.yaml").read_text("utf-8")
    assert "type: sd_trainer" in again


FLIPS = """
datasets:
- {folder_path: /d/a, resolution: [256], num_repeats: 3, flip_x: true}
- {folder_path: /d/b, resolution: 512}
save: {dtype: float16}
network: {rank: 64, alpha: 32}
"""


def test_settings_of_ones_own_are_merged_into_the_file() -> None:
    """The file's own settings stay, and what it leaves out stays left out but for what is set."""
    file = job(FLIPS)
    plain = sent(TrainingParams.from_config(file))
    found = sent(TrainingParams.from_config(file, extra="logging: {use_ui_logger: true}"))
    assert found == {**plain, "logging": {"use_ui_logger": True}}
    other = "datasets: [{num_repeats: 2}]\nnetwork: {rank: 8}\nnew: 1"
    found = sent(TrainingParams.from_config(file, extra=other))
    assert (found["network"]["rank"], found["network"]["alpha"]) == (8, 32)
    assert [entry.get("num_repeats") for entry in found["datasets"]] == [2, None]
    assert (found["datasets"][0]["flip_x"], found["save"]["dtype"]) == (True, "float16")
    assert found["new"] == 1


def test_invalid_settings_of_ones_own_are_told_by_their_field() -> None:
    """As without a file."""
    with pytest.raises(InvalidParams, match="extra"):
        TrainingParams.from_config(job(""), extra="[1, 2]")


def test_a_file_without_a_seed_has_none_and_can_get_one() -> None:
    """The trainer seeds nothing then, and samples have their own."""
    file = job("sample: {seed: 7, prompts: [a]}")
    params = TrainingParams.from_config(file)
    assert (params.seed, params.sample_seed) == (-1, 7)
    assert "training_seed" not in sent(params)
    assert sent(TrainingParams.from_config(file, seed=3))["training_seed"] == 3
