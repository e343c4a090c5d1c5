"""What the trainer makes of job files: our planner and the embedded trainer, by one table.

The expected values were worked out by hand from AI Toolkit's source (0.12.26), by the sections of
its rules: 1 general, 2 keys and defaults, 3 keys of their own, 5 steps per epoch, 6 surprises.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from PIL import Image

import aitk_nb
from aitk_nb.demo.trainer import config as embedded
from aitk_nb.demo.trainer import photographs
from aitk_nb.demo.trainer.main import train
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.effective import alpha_counts, divisibility, effective, resolutions
from aitk_nb.training.extra import process_of
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.plan import bucket_size, plan
from aitk_nb.training.presets import OTHERS, load
from tests.loops import for_each

FOLDER = os.environ.get("AITK_EXAMPLES", "")
"""AI Toolkit's own `config/examples`; they are not ours to keep."""

FOUR = [(256, 256), (256, 192), (256, 192), (192, 256)]
SIZES = {"four": FOUR, "six": [(256, 256)] * 6, "ten": [(300, 200)] * 7 + [(200, 300)] * 3}
ORDINARY = """
type: sd_trainer
training_folder: out
network: {linear: 16, linear_alpha: 16}
save: {save_every: 250}
datasets: [{folder_path: /d/four, resolution: 256}]
train: {batch_size: 1, steps: 100, lr: 1e-4}
model: {name_or_path: m, arch: flex1}
sample: {sample_every: 250, samples: []}
"""


class Reading(NamedTuple):
    """What the trainer makes of a job file."""

    rank: int | None = 16
    alpha: float | None = 16
    steps: int = 100
    rate: float = 1e-4
    arch: str = "flex1"
    resolutions: tuple[int, ...] = (256,)
    per_epoch: float = 4


TABLE: dict[str, tuple[str, Reading, str]] = {
    "as it is": ("", Reading(), "5"),
    "hardly anything": (
        "network: {}\ntrain: {}\ndatasets: [{folder_path: /d/four}]",
        Reading(4, 4, 1000, 1e-6, resolutions=(512,)),
        "2, 6",
    ),
    "no network": ("network: null", Reading(None, None), "2, 6"),
    "rank wins over linear": (
        "network: {linear: 16, linear_alpha: 16, rank: 4}\nmodel: {name_or_path: m, arch: sd15}",
        Reading(4, 16, arch="sd15"),
        "2",
    ),
    "linear alone, a UNet": (
        "network: {linear: 32}\nmodel: {name_or_path: m, arch: sdxl}",
        Reading(32, 1, arch="sdxl"),
        "2, 6",
    ),
    "linear alone, a transformer": ("network: {linear: 32}", Reading(32, 32), "2, 6"),
    "rank and alpha": (
        "network: {rank: 64, alpha: 32}\nmodel: {name_or_path: m, arch: sd15}",
        Reading(64, 32, arch="sd15"),
        "2",
    ),
    "linear_alpha wins over alpha": (
        "network: {linear: 8, alpha: 2, linear_alpha: 4}\nmodel: {name_or_path: m, is_xl: true}",
        Reading(8, 4, arch="sdxl"),
        "2",
    ),
    "no arch": (
        "network: {linear: 16, linear_alpha: 8}\nmodel: {name_or_path: m}",
        Reading(16, 8, arch="sd1"),
        "2, 6",
    ),
    "is_flux": (
        "network: {linear: 16, linear_alpha: 8}\nmodel: {name_or_path: m, is_flux: true}",
        Reading(arch="flux"),
        "2",
    ),
    "is_v3": ("model: {name_or_path: m, is_v3: true}", Reading(arch="sd3"), "2"),
    "unknown arch": (
        "network: {linear: 16, linear_alpha: 8}\nmodel: {name_or_path: m, arch: no_such}",
        Reading(16, 8, arch="no_such"),
        "2, 6",
    ),
    "num_repeats": (
        "datasets: [{folder_path: /d/four, resolution: 256, num_repeats: 3}]",
        Reading(per_epoch=12),
        "5",
    ),
    "both flips": (
        "datasets: [{folder_path: /d/four, resolution: 256, flip_x: true, flip_y: true}]",
        Reading(per_epoch=16),
        "5",
    ),
    "two resolutions": (
        "datasets: [{folder_path: /d/four, resolution: [128, 256]}]",
        Reading(resolutions=(128, 256), per_epoch=8),
        "5",
    ),
    "a batch of two": ("train: {batch_size: 2, steps: 100, lr: 1e-4}", Reading(per_epoch=3), "5"),
    "buckets of seven and three": (
        "datasets: [{folder_path: /d/ten, resolution: 256}]\n"
        "train: {batch_size: 4, steps: 100, lr: 1e-4}",
        Reading(per_epoch=3),
        "5",
    ),
    "accumulation": (
        "train: {gradient_accumulation: 2, steps: 100, lr: 1e-4}",
        Reading(per_epoch=2),
        "5",
    ),
    "half a step": (
        "datasets: [{folder_path: /d/six, resolution: 256}]\n"
        "train: {gradient_accumulation: 4, steps: 100, lr: 1e-4}",
        Reading(per_epoch=1.5),
        "5",
    ),
    "legacy accumulation": (
        "train: {gradient_accumulation_steps: 2, steps: 100, lr: 1e-4}",
        Reading(),
        "5",
    ),
    "two datasets": (
        "datasets:\n- {folder_path: /d/four, resolution: 256, num_repeats: 2}\n"
        "- {folder_path: /d/six, resolution: 256}",
        Reading(resolutions=(256, 256), per_epoch=14),
        "5",
    ),
    "repeats, a flip and two resolutions beside another": (
        "datasets:\n"
        "- {folder_path: /d/four, resolution: [256, 384], num_repeats: 3, flip_x: true}\n"
        "- {folder_path: /d/six, resolution: 256}",
        Reading(resolutions=(256, 384, 256), per_epoch=54),
        "5",
    ),
    "a batch size of its own": (
        "datasets:\n- {folder_path: /d/four, resolution: 256, batch_size: 2}\n"
        "- {folder_path: /d/six, resolution: 256}",
        Reading(resolutions=(256, 256), per_epoch=9),
        "3, 5",
    ),
    "the same folder twice": (
        "datasets:\n- {folder_path: /d/four, resolution: 256}\n"
        "- {folder_path: /d/four, resolution: 256}",
        Reading(resolutions=(256, 256), per_epoch=8),
        "5",
    ),
    "an empty resolution": (
        "datasets:\n- {folder_path: /d/four, resolution: []}\n"
        "- {folder_path: /d/six, resolution: 256}",
        Reading(per_epoch=6),
        "2",
    ),
    "dataset_path wins": (
        "datasets: [{folder_path: /d/four, dataset_path: /d/six, resolution: 256}]",
        Reading(per_epoch=6),
        "2",
    ),
    # Even steps but 0 and 10 regularize: 12 of 20 are of the main dataset.
    "regularization": (
        "datasets:\n- {folder_path: /d/six, resolution: 256}\n"
        "- {folder_path: /d/four, resolution: 256, is_reg: true}\n"
        "train: {steps: 20, lr: 1e-4}\nsave: {save_every: 10}",
        Reading(steps=20, resolutions=(256, 256), per_epoch=10),
        "3, 5",
    ),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The datasets of `SIZES`."""
    above = tmp_path_factory.mktemp("pictures")
    for name, sizes in SIZES.items():
        (above / name).mkdir()
        for number, size in enumerate(sizes):
            Image.new("RGB", size, (number, 90, 90)).save(above / name / f"{number}.png")
    return above


def job(changes: str) -> dict[str, Any]:
    """Return a job config: the ordinary one, with these sections instead."""
    process = {**yaml.safe_load(ORDINARY), **(yaml.safe_load(changes) or {})}
    process["train"]["lr"] = float(process["train"].get("lr", "nan"))
    if process["train"]["lr"] != process["train"]["lr"]:
        del process["train"]["lr"]
    return {"job": "extension", "config": {"name": "job", "process": [process]}}


def planned(config: dict[str, Any], files: dict[str, Any]) -> Reading:
    """Return what our planner makes of a job config, by way of the parameters."""
    params = TrainingParams.from_config(config)
    read = effective(process_of(draft(params).config))
    network, arch = read["network"], value_at(read, "model.arch")
    rank = network and network["linear"]
    found = plan(params, files)
    assert found.epoch is not None
    assert found.epoch.low == found.epoch.high
    # What AI Toolkit does not know it trains with the older class.
    scaled = alpha_counts(arch) in (True, None)
    return Reading(
        rank,
        network and (network["linear_alpha"] if scaled else rank),
        found.steps,
        value_at(read, "train.lr"),
        arch,
        tuple(pixels for entry in read["datasets"] for pixels in resolutions(entry)),
        found.epoch.low,
    )


def close(one: Reading, other: Reading) -> bool:
    """Return whether two readings are the same."""
    return one[:-1] == other[:-1] and one.per_epoch == pytest.approx(other.per_epoch)


@for_each("name", TABLE)
def test_a_plan_is_what_the_trainer_does(name: str) -> None:
    """Rank, alpha, steps, rate, architecture, resolutions and steps per epoch."""
    changes, expected, _section = TABLE[name]
    found = planned(job(changes), SIZES)
    assert close(expected, found), f"{found}, and not {expected}"


@for_each("name", TABLE)
def test_the_embedded_trainer_does_the_same(name: str, pictures: Path) -> None:
    """But for whole models, which it refuses to train."""
    changes, expected, _section = TABLE[name]
    config = job(changes)
    for entry in config["config"]["process"][0]["datasets"]:
        for key in {"folder_path", "dataset_path"} & entry.keys():
            entry[key] = str(pictures / Path(entry[key]).name)
    if expected.rank is None:
        with pytest.raises(ValueError, match="not whole models"):
            embedded.read(config)
        return
    read = embedded.read(config)
    batches, regularizing = photographs.load(read, lambda _line: None)
    share = 0.6 if regularizing else 1
    found = Reading(
        read.train.rank,
        read.train.alpha,
        read.train.steps,
        read.train.rate,
        read.base_model,
        tuple(pixels for entry in read.datasets for pixels in entry.resolutions),
        len(batches) / read.train.accumulation / share,
    )
    assert close(expected, found), f"{found}, and not {expected}"


EXAMPLES = {
    "modal/modal_train_lora_flux_24gb": Reading(steps=2000, arch="flux"),
    "modal/modal_train_lora_flux_schnell_24gb": Reading(steps=2000, arch="flux"),
    # 3 rounds of ceil(20 / 3) batches, two in a step.
    "train_flex_redux": Reading(None, None, 4_000_000, arch="flux", per_epoch=10.5),
    "train_full_fine_tune_flex": Reading(None, None, 2000, 3e-5, "flux"),
    "train_full_fine_tune_lumina": Reading(None, None, 2000, 3e-5, "lumina2"),
    "train_lora_chroma_24gb": Reading(steps=2000, arch="chroma"),
    "train_lora_flex2_24gb": Reading(32, 32, 3000, arch="flex2"),
    "train_lora_flex_24gb": Reading(steps=2000, arch="flux"),
    "train_lora_flux_24gb": Reading(steps=2000, arch="flux"),
    "train_lora_flux_kontext_24gb": Reading(
        steps=3000, arch="flux_kontext", resolutions=(512, 768), per_epoch=40
    ),
    "train_lora_flux_schnell_24gb": Reading(steps=2000, arch="flux"),
    "train_lora_hidream_48": Reading(32, 32, 3000, 2e-4, "hidream"),
    "train_lora_lumina": Reading(steps=2000, arch="lumina2"),
    "train_lora_qwen_image_24gb": Reading(steps=2000, arch="qwen_image"),
    "train_lora_qwen_image_edit_2509_32gb": Reading(steps=3000, arch="qwen_image_edit_plus"),
    "train_lora_qwen_image_edit_32gb": Reading(steps=3000, arch="qwen_image_edit"),
    "train_lora_sd35_large_24gb": Reading(
        steps=2000, arch="sd3", resolutions=(1024,), per_epoch=20
    ),
    "train_lora_wan21_14b_24gb": Reading(32, 32, 2000, 1e-4, "wan21", (632,), 20),
    "train_lora_wan21_1b_24gb": Reading(32, 32, 2000, 1e-4, "wan21", (632,), 20),
    "train_lora_wan22_14b_24gb": Reading(32, 32, 2000, arch="wan22_14b"),
}
"""AI Toolkit's own examples, for a dataset of 20 images of 1000 x 1000 pixels."""


@pytest.mark.skipif(not FOLDER, reason="AITK_EXAMPLES names no folder")
@for_each("name", EXAMPLES)
def test_examples_of_ai_toolkit(name: str) -> None:
    """Those that say nothing else have three resolutions: 60 steps per epoch."""
    expected = EXAMPLES[name]
    if expected.resolutions == (256,):
        expected = expected._replace(resolutions=(512, 768, 1024))
        if expected.per_epoch == 4:
            expected = expected._replace(per_epoch=60)
    params = TrainingParams.from_file(Path(FOLDER, f"{name}.yaml"))
    files = {params.dataset: [(1000, 1000)] * 20}
    found = planned(draft(params).config, files)
    assert close(expected, found), f"{found}, and not {expected}"


def test_the_embedded_trainer_knows_the_same_models() -> None:
    """Whether alpha counts, where that is known, and the multiples of bucket sides."""
    bases = {name.partition(":")[0] for name in load()} | OTHERS
    for arch in sorted(bases):
        read = embedded.read(job(f"model: {{name_or_path: m, arch: {arch}}}"))
        # Of CogView4's 8 pixels the small model knows nothing.
        if arch != "cogview4":
            assert (arch, divisibility(arch)) == (arch, read.divisibility)
        assert (arch, alpha_counts(arch)) in ((arch, read.train.is_scaled), (arch, None))
    for size in ((700, 700), (1999, 501), (31, 900), (1, 1), (512, 511)):
        for multiple in (16, 32):
            assert bucket_size(*size, 512, multiple) == photographs.bucket_size(
                *size, 512, multiple
            )


MEASURED = {
    "num_repeats": (30, 2),
    "both flips": (40, 2),
    "two resolutions": (20, 2),
    "a batch of two": (20, 6),
    "accumulation": (20, 9),
    "legacy accumulation": (20, 4),
    "regularization": (20, 1),
    "a batch size of its own": (30, 3),
}
"""Steps, and the epoch in the checkpoint after them: of AI Toolkit's own trainer with these jobs.

But for `regularization`, where it had 2 with the two datasets the other way round.
"""


@for_each("name", MEASURED)
def test_log_and_checkpoint_follow_the_plan(
    name: str, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The embedded trainer's buckets are those of the plan, and its epoch is the real one's."""
    steps, epoch = MEASURED[name]
    config, folder = job(TABLE[name][0]), tmp_path_factory.mktemp("run")
    process = config["config"]["process"][0]
    process |= {"training_folder": str(folder), "training_seed": 1}
    process["train"] |= {"steps": steps, "disable_sampling": True}
    buckets: Counter[str] = Counter()
    for entry in effective(process)["datasets"]:
        copies = max(1, entry["num_repeats"]) * 2 ** (entry["flip_x"] + entry["flip_y"])
        for pixels in resolutions(entry):
            for size in SIZES[Path(entry["folder_path"]).name]:
                wide, high = bucket_size(*size, pixels, divisibility("flex1"))
                buckets[f"{wide}x{high}"] += copies
    found = planned(config, SIZES)
    for entry in process["datasets"]:
        entry["folder_path"] = str(pictures / Path(entry["folder_path"]).name)
    log = io.StringIO()
    train(config, log)

    told: Counter[str] = Counter()
    for bucket, count in re.findall(r"^(\d+x\d+): (\d+) files$", log.getvalue(), re.MULTILINE):
        told[bucket] += int(count)
    assert buckets == told
    saved = aitk_nb.inspect_lora(folder / "job" / "job.safetensors")
    assert (saved.step, saved.epoch) == (steps, epoch)
    # The last epoch is counted when the batch after it is asked for.
    assert epoch == math.ceil(round(steps / found.per_epoch, 6)) - 1
