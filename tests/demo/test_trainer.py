"""The trainer's process: its files, its row, its log, and all the ways in which it ends."""

from __future__ import annotations

import hashlib
import io
import json
import math
import signal
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from safetensors import safe_open

from aitk_nb.demo.trainer.config import read
from aitk_nb.demo.trainer.files import safetensors_bytes, safetensors_read
from aitk_nb.demo.trainer.main import train
from aitk_nb.losses.history import LossHistory
from tests.demo.trainings import Running, config, losses

PROMPTS = {"samples": [{"prompt": "portrait of [trigger]"}, {"prompt": "a cap", "width": 1024}]}
LONG = {"train": {"steps": 100_000}}


def test_a_run_leaves_the_files_of_the_real_trainer(tmp_path: Path, photos: Path) -> None:
    """Checkpoints, optimiser, samples, losses and config, and nothing half-written."""
    with Running(tmp_path, config(tmp_path / "output", photos, sample=PROMPTS)) as run:
        assert run.end() == 0, run.text
        row, folder, text = run.row, run.folder, run.text
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("tiny.safetensors", "tiny_000000020.safetensors", "tiny_000000030.safetensors"),
        *("optimizer.pt", "loss_log.db", "config.yaml", "samples"),
    }
    samples = sorted(path.name.split("__")[1] for path in (folder / "samples").iterdir())
    assert samples == [f"{n:09d}_{i}.jpg" for n in (0, 20, 35) for i in (0, 1)]
    for path in (folder / "samples").iterdir():
        with Image.open(path) as image:
            assert image.size == ((256, 128) if path.stem.endswith("_1") else (256, 256))
    assert sorted(losses(folder)) == list(range(1, 35))
    assert yaml.safe_load((folder / "config.yaml").read_text())["config"]["name"] == "tiny"
    assert (row.status, row.info, row.step) == ("completed", "Training completed", 35)
    assert row.speed_string == "" or row.speed_string.endswith(("iter/sec", "sec/iter"))
    for line in ('Job ID: "', "# Running job: tiny", "  -  Found 12 images", "256x256: 12 files"):
        assert line in text
    assert "\nSaving at step 30\nSaved checkpoint to " in text
    assert "\rtiny: 100%|██████████| 35/35 [00:0" in text
    assert "lr: 1.0e-03 loss: " in text
    assert "\x1b[A" in text


def test_the_lora_can_be_read_by_others(tmp_path: Path, photos: Path) -> None:
    """The safetensors library reads names, shapes and AI Toolkit's metadata; B is not zero."""
    job = config(tmp_path, photos, save={"dtype": "float32"})
    path = train(job, io.StringIO())
    with safe_open(path, framework="np") as file:
        notes = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert len(tensors) == 12
    assert all(np.isfinite(tensor).all() and tensor.any() for tensor in tensors.values())
    assert json.loads(notes["training_info"]) == {"step": 35, "epoch": 2}
    assert json.loads(notes["software"])["name"] == "aitk-nb demo trainer"
    assert notes["name"] == notes["ss_output_name"] == "tiny"
    assert (notes["version"], notes["ss_base_model_version"], notes["format"]) == (
        *("1.0", "flex1", "pt"),
    )
    assert len(notes["sshs_model_hash"]) == 64


@given(
    numbers=arrays.arrays(np.float32, st.integers(1, 20), elements=st.floats(width=32)),
    dtype=st.sampled_from(["BF16", "F16", "F32"]),
)
def test_numbers_survive_the_file(numbers: Any, dtype: str) -> None:
    """Each dtype gives back the nearest number that it can hold."""
    content = safetensors_bytes({"a": numbers, "b": numbers[:1]}, dtype, {"format": "pt"})
    tensors, notes = safetensors_read(content)
    with np.errstate(all="ignore"):
        half = numbers.astype(np.float16).astype(np.float32)
        close = np.abs(tensors["a"] - numbers) <= np.abs(numbers) * 2**-8 + 1e-38
    expected = {"F32": tensors["a"] == numbers, "F16": tensors["a"] == half}.get(dtype, close)
    # The largest numbers round up to infinity in bfloat16, as everywhere.
    odd = np.isnan(numbers) & np.isnan(tensors["a"]) | np.isinf(tensors["a"])
    assert np.all(expected | odd)
    assert notes["format"] == "pt"


def test_bfloat16_is_read_by_the_library(tmp_path: Path) -> None:
    """What is written as bf16 is a valid file of that type."""
    path = tmp_path / "a.safetensors"
    numbers = np.array([[1.0, -2.5], [0.15625, 3e38]], np.float32)
    path.write_bytes(safetensors_bytes({"a": numbers}, "BF16", {}))
    with safe_open(path, framework="np") as file:
        part = file.get_slice("a")
        assert (part.get_dtype(), part.get_shape()) == ("BF16", [2, 2])
    assert np.array_equal(safetensors_read(path.read_bytes())[0]["a"][0], [1.0, -2.5])


def test_a_resumed_run_goes_on_as_if_never_interrupted(tmp_path: Path, photos: Path) -> None:
    """From the last save on, with its optimiser: the same losses bit for bit, in one series."""
    exact = {"save": {"dtype": "float32"}}
    whole = config(tmp_path / "whole", photos, **exact)
    part = config(tmp_path / "part", photos, train={"steps": 20}, **exact)
    train(whole, io.StringIO())
    train(part, io.StringIO())
    log = io.StringIO()
    train(config(tmp_path / "part", photos, **exact), log)
    one, two = losses(tmp_path / "whole" / "tiny"), losses(tmp_path / "part" / "tiny")
    # The first step of a run is never logged.
    assert set(one) - set(two) == {20}
    assert {step: one[step] for step in two} == two
    assert "starting from step 20" in log.getvalue()


def test_a_run_without_steps_left_saves_again(tmp_path: Path, photos: Path) -> None:
    """Starting a finished job is harmless."""
    job = config(tmp_path, photos)
    path = train(job, io.StringIO())
    before = hashlib.sha256(safetensors_read(path.read_bytes())[0].popitem()[1].tobytes())
    train(job, io.StringIO())
    after = hashlib.sha256(safetensors_read(path.read_bytes())[0].popitem()[1].tobytes())
    assert before.hexdigest() == after.hexdigest()
    assert sorted(losses(tmp_path / "tiny")) == list(range(1, 35))


def test_interrupted_it_falls_back_to_the_last_save(tmp_path: Path, photos: Path) -> None:
    """SIGINT ends it well, in a few moments, with the words of the real one."""
    with Running(tmp_path, config(tmp_path / "output", photos, **LONG)) as run:
        run.until(lambda: run.row.step >= 25)
        assert run.row.info in {"Training", "Saving model"}
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 0
        row = run.row
        assert row.status == "stopped"
        assert row.info == "Job stopped"
        assert row.step > 0
        assert (run.folder / f"tiny_{row.step:09d}.safetensors").exists()
        assert run.text.endswith("=====\nJob stopped\n" + "=" * 40 + "\n")
        assert "Traceback" not in run.text


def test_the_stop_flag_stops_it(tmp_path: Path, photos: Path) -> None:
    """The flag works as the signal does."""
    with Running(tmp_path, config(tmp_path / "output", photos, **LONG)) as run:
        run.until(lambda: run.row.info == "Training")
        run.store.db.update_job(run.id, {"stop": True})
        assert run.end() == 0
        assert (run.row.status, run.row.info) == ("stopped", "Job stopped")


def test_back_to_the_queue_saves_nothing(tmp_path: Path, photos: Path) -> None:
    """It ends with a traceback and code 1, and the row waits in the queue."""
    job = config(tmp_path / "output", photos, save={"save_every": 0}, **LONG)
    with Running(tmp_path, job) as run:
        run.until(lambda: run.row.step > 3)
        run.store.db.update_job(run.id, {"return_to_queue": True})
        assert run.end() == 1
        assert (run.row.status, run.row.info, run.row.step) == ("queued", "Job queued", 0)
        assert "Job returning to queue" in run.text
        assert not list(run.folder.glob("*.safetensors"))


def test_flags_are_served_and_cleared(tmp_path: Path, photos: Path) -> None:
    """`save_now` saves and `sample_now` paints after the next step; `updated_at` stays."""
    job = config(tmp_path / "output", photos, save={"save_every": 0}, sample=PROMPTS, **LONG)
    job["config"]["process"][0]["sample"]["sample_every"] = 0
    job["config"]["process"][0]["train"]["skip_first_sample"] = True
    with Running(tmp_path, job) as run:
        run.until(lambda: run.row.info == "Training" and run.row.speed_string)
        run.store.db.update_job(run.id, {"save_now": True, "sample_now": True})
        stamp = run.row.updated_at
        run.until(lambda: not run.row.save_now and not run.row.sample_now)
        run.until(lambda: len(list(run.folder.glob("samples/*.jpg"))) == 2)
        assert len(list(run.folder.glob("tiny_*.safetensors"))) == 1
        assert run.row.updated_at == stamp


@pytest.mark.slow
def test_killed_at_any_moment_no_file_is_half_written(tmp_path: Path, photos: Path) -> None:
    """SIGKILL while it saves at every step: all that has a final name is whole, and it resumes."""
    job = config(tmp_path / "output", photos, save={"save_every": 1}, **LONG)
    for round_ in range(4):
        with Running(tmp_path, job) as run:
            run.until(partial(_is_past, run, run.row.step + 10 + round_))
            run.process.send_signal(signal.SIGKILL)
            assert run.end() == -signal.SIGKILL
            folder = run.folder
        for path in folder.glob("[!.]*.safetensors"):
            assert len(safetensors_read(path.read_bytes())[0]) == 12
        with np.load(folder / "optimizer.pt") as archive:
            assert set(archive) == {"mean", "square", "steps", "checkpoint"}
        with sqlite3.connect(folder / "loss_log.db") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()


def _is_past(run: Running, step: int) -> bool:
    return run.row.step > step


def test_it_ends_with_its_stdin(tmp_path: Path, photos: Path) -> None:
    """When the server dies, the pipe ends, and so does the trainer."""
    with Running(tmp_path, config(tmp_path / "output", photos, **LONG)) as run:
        run.until(lambda: run.row.info == "Training")
        assert run.process.stdin is not None
        run.process.stdin.close()
        assert run.process.wait(5) == 1


def test_deleting_the_folder_does_not_stop_it(tmp_path: Path, photos: Path) -> None:
    """It makes the folder again and goes on, as the real one does."""
    job = config(tmp_path / "output", photos, train={"steps": 400})
    with Running(tmp_path, job) as run:
        run.until(lambda: run.row.step > 50)
        for path in run.folder.iterdir():
            path.unlink(missing_ok=True)
        run.store.db.delete_job(run.id)
        assert run.end() == 0, run.text
        assert (run.folder / "tiny.safetensors").exists()


def _broken(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    return folder


def _empty(folder: Path) -> Path:
    folder.mkdir()
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("missing", "does not exist"),
        ("empty", "No images were found"),
        ("broken", "cannot be read"),
        ("optimizer", "Unknown optimizer type nonsense"),
        ("lokr", "LoRAs only"),
        ("variable", "${HOME}/photos does not exist"),
    ],
)
def test_what_cannot_be_trained_says_why(
    tmp_path: Path, photos: Path, case: str, words: str
) -> None:
    """The row says it in a sentence and the log has a traceback; nothing is expanded."""
    places = {
        "missing": tmp_path / "nowhere",
        "empty": _empty(tmp_path / "empty"),
        "broken": _broken(tmp_path / "broken"),
        "variable": Path("${HOME}/photos"),
    }
    changes: dict[str, Any] = {
        "optimizer": {"train": {"optimizer": "nonsense"}},
        "lokr": {"network": {"type": "lokr"}},
    }.get(case, {})
    job = config(tmp_path / "output", places.get(case, photos), **changes)
    with Running(tmp_path, job) as run:
        assert run.end() == 1
        row = run.row
        assert (row.status, row.step) == ("error", 0)
        assert words in row.info
        assert "Traceback (most recent call last)" in run.text


def test_dataset_options_are_honoured(tmp_path: Path, photos: Path) -> None:
    """Repeats, flips, several resolutions, small and odd pictures, and captions that are absent."""
    odd = tmp_path / "odd"
    (odd / "deeper").mkdir(parents=True)
    Image.new("RGBA", (3, 400), "red").save(odd / "tall.png")
    Image.new("L", (900, 200)).save(odd / "deeper" / "wide.WEBP")
    entry = {"folder_path": str(odd), "resolution": [64, 1024], "num_repeats": 2, "flip_x": True}
    log = io.StringIO()
    train(
        config(tmp_path / "out", photos, datasets=[entry], train={"batch_size": 2, "steps": 3}),
        log,
    )
    # 2 pictures, mirrored, twice, in each resolution; 3 steps of 2 pictures are 0 whole rounds.
    assert log.getvalue().count("  -  Found 4 images\n") == 2
    assert log.getvalue().count("  -  Found 8 images after adding flips\n") == 2
    content = (tmp_path / "out" / "tiny" / "tiny.safetensors").read_bytes()
    assert json.loads(safetensors_read(content)[1]["training_info"]) == {"step": 3, "epoch": 0}


@pytest.mark.parametrize("kind", ["sigmoid", "linear", "weighted", "shift"])
def test_every_kind_of_timestep_trains(tmp_path: Path, photos: Path, kind: str) -> None:
    """What the form offers can be chosen."""
    train(config(tmp_path, photos, train={"timestep_type": kind, "steps": 4}), io.StringIO())
    assert all(value is not None for value in losses(tmp_path / "tiny").values())


def test_without_the_ui_logger_there_is_no_database(tmp_path: Path, photos: Path) -> None:
    """As on the real server, the losses are then only in the log."""
    train(config(tmp_path, photos, logging={"use_ui_logger": False}), io.StringIO())
    assert not (tmp_path / "tiny" / "loss_log.db").exists()


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"config": None},
        {"config": {"name": "a", "process": []}},
        {"config": {"name": "a", "process": ["x"]}},
        {"config": {"name": "", "process": [{"type": "diffusion_trainer"}]}},
        {"config": {"name": "a", "process": [{"type": "concept_slider"}]}},
    ],
)
def test_a_config_without_its_parts_is_refused(broken: dict[str, Any]) -> None:
    """One clear error, whatever is missing."""
    with pytest.raises(ValueError, match=r"config needs|no trainer"):
        read(broken)


def test_one_thread_is_enough(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process sees to it that BLAS takes one core, whatever its environment says."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    status = Path("/proc") / "self" / "status"
    if not status.exists():
        pytest.skip("needs /proc")
    with Running(tmp_path, config(tmp_path / "output", photos, **LONG)) as run:
        run.until(lambda: run.row.info == "Training")
        threads = len(list(Path(f"/proc/{run.process.pid}/task").iterdir()))
    assert threads <= 2  # itself, and the one that waits for the end of stdin


def test_a_loss_of_nan_is_told_and_logged_as_zero(tmp_path: Path, photos: Path) -> None:
    """A line for each micro-batch, and the training goes on to its end."""
    out = io.StringIO()
    steps = {"train": {"steps": 12, "lr": 10.0, "gradient_accumulation": 2}}
    train(config(tmp_path, photos, **steps, sample={"samples": []}), out)
    found = list(losses(tmp_path / "tiny").values())
    lost = found.index(0.0)
    assert 0 < lost < 8
    assert found[lost:] == [0.0] * (11 - lost)
    assert all(math.isfinite(loss) for loss in found[:lost] if loss is not None)
    assert out.getvalue().count("loss is nan\n") in (2 * (11 - lost), 2 * (11 - lost) + 1)
    assert LossHistory.read(tmp_path / "tiny" / "loss_log.db").summary().diverged_step == lost + 1


def test_it_begins_with_another_lora_as_the_real_one(tmp_path: Path, photos: Path) -> None:
    """Cut or filled up with zeros to the rank; its step is not taken, nor are names that differ."""
    brief: dict[str, Any] = {"sample": {"samples": []}, "train": {"steps": 2}}
    path = train(config(tmp_path / "first", photos, sample={"samples": []}), io.StringIO())
    for rank, arch in ((4, "flex1"), (2, "flex1"), (8, "flex1"), (4, "sdxl")):
        out, folder = io.StringIO(), tmp_path / f"{rank}{arch}"
        network = {"pretrained_lora_path": str(path), "linear": rank}
        train(config(folder, photos, **brief, network=network, model={"arch": arch}), out)
        assert f"Using pretrained lora path from config: {path}\n" in out.getvalue()
        assert f"#### IMPORTANT RESUMING FROM {path} ####\n" in out.getvalue()
        assert ("Missing keys: [" in out.getvalue()) is (arch == "sdxl")
        tensors, _ = safetensors_read((folder / "tiny" / "tiny.safetensors").read_bytes())
        down = next(value for key, value in tensors.items() if "lora_A" in key or "down" in key)
        assert len(down) == rank
        assert not down[4:].any()
    out = io.StringIO()
    gone = {"pretrained_lora_path": str(tmp_path / "gone")}
    train(config(tmp_path / "none", photos, **brief, network=gone), out)
    assert f"Pretrained lora path from config does not exist: {tmp_path / 'gone'}" in out.getvalue()
    # A job that has a checkpoint goes on from that.
    out = io.StringIO()
    again = config(tmp_path / "first", photos, network={"pretrained_lora_path": str(path)})
    train(again, out)
    assert "Using pretrained" not in out.getvalue()


def test_it_validates_as_the_real_one(tmp_path: Path, photos: Path) -> None:
    """Always alike, at the first step and each n-th; logged with the next step that is logged."""
    items = [{}, {"image_path": "gone.png"}, {"image_path": str(photos / "photo_00.jpg")}]
    found = []
    for number, every in enumerate((10, 10, 0)):
        wanted = {"validation_items": items, "validate_every_n_steps": every}
        out, folder = io.StringIO(), tmp_path / str(number)
        log = {"log_every": 4, "use_ui_logger": True}
        job = config(folder, photos, sample={"samples": []}, logging=log)
        job["config"]["process"][0]["train"]["validation_config"] = wanted
        train(job, out)
        found.append(LossHistory.read(folder / "tiny" / "loss_log.db").points("val/loss"))
        assert "Skipping validation item with no image\n" in out.getvalue()
        assert "Skipping validation item, image not found: gone.png\n" in out.getvalue()
    assert [point.step for point in found[0]] == [4, 12, 20, 32]
    assert [point.value for point in found[0]] == [point.value for point in found[1]]
    assert [point.step for point in found[2]] == [4]
    out = io.StringIO()
    job = config(tmp_path / "none", photos, sample={"samples": []}, train={"steps": 2})
    job["config"]["process"][0]["train"]["validation_config"] = {"validation_items": items[:2]}
    train(job, out)
    assert "Validation config has no valid validation_items, skipping validation" in out.getvalue()
