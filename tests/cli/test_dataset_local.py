"""`dataset check` and `dataset fix`: what is wrong, and a copy in which it is right."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.cli.command import run, start
from tests.datasets.pictures import add, picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, of which one is broken and one has no caption."""
    add(tmp_path / "cats", "a.png", "a.txt", "my b.png", "c.png", "c.txt")
    (tmp_path / "cats" / "c.png").write_bytes(b"no picture")
    return tmp_path / "cats"


def test_errors_are_named_and_make_it_fail(folder: Path) -> None:
    """One line each on stdout, the counts on stderr, and exit code 2."""
    ran = run("dataset", "check", folder, code=2)
    assert ran.out.splitlines() == [
        "problem 'c.png' is not an image that can be read here: export it again, or remove it",
        "warning 'my b.png' has no caption: write one into my b.txt",
    ]
    assert "cats: 3 images, 2 captions; 1 error, 1 warning. " in ran.err
    assert f"aitk-nb dataset fix {folder} --out NEW_FOLDER" in ran.err
    report = run("dataset", "check", folder, "--json", code=2).json
    assert (report["ok"], report["images"], report["captions"]) == (False, 3, 2)
    assert {problem["name"] for problem in report["problems"]} == {"unreadable", "no-caption"}


def test_what_is_no_dataset_is_named_and_what_is_broken_wants_no_caption(folder: Path) -> None:
    """One line for files that are left out, and one problem for a broken image."""
    (folder / "c.txt").unlink()
    (folder / "notes.pdf").write_bytes(b"%PDF")
    ran = run("dataset", "check", folder, code=2)
    assert 1 == ran.out.count("c.png")
    assert "left out, not images or captions: notes.pdf" in ran.err


def test_a_copy_is_corrected_and_passes(folder: Path, tmp_path: Path) -> None:
    """What was done is told; a second time nothing is."""
    into = tmp_path / "fixed"
    ran = run("dataset", "fix", folder, "--out", into, "--caption", "a cat", "--trigger-word", "x")
    assert "c.png: is left out: it is not an image that can be read" in ran.out
    assert "my b.png -> my_b.png: renamed" in ran.out
    assert "fixed: written" in ran.err
    assert (into / "my_b.txt").read_text() == "x, a cat\n"
    assert (
        "already up to date"
        in run(
            *("dataset", "fix", folder, "--out", into, "--caption", "a cat", "--trigger-word", "x")
        ).err
    )
    checked = run("dataset", "check", into, "--resolution", "64,32", "--batch-size", "2", "--json")
    assert checked.json["problems"] == []
    assert checked.json["steps_per_epoch"] == 2
    planned = run("dataset", "check", into, "--resolution", "64,32").out
    assert ("2 images in 2 buckets" in planned, "<" in planned) == (True, False)
    refused = run("dataset", "fix", folder, "--out", folder / "in", code=2)
    assert "overlap" in refused.err


def test_what_is_asked_is_checked(folder: Path, tmp_path: Path) -> None:
    """Limits, architecture and flavour; a zip and a list of files are datasets too."""
    (folder / "c.png").unlink()
    picture(folder / "c.png", (90, 20))
    assert "enlarges to 32" in run("dataset", "check", folder, "--arch", "qwen_image").out
    assert "enlarges" not in run("dataset", "check", folder, "--arch", "flux2").out
    assert "the limit is" in run("dataset", "check", folder, "--limit", "0.000001", code=2).out
    assert "Unknown architecture" in run("dataset", "check", folder, "--arch", "x", code=2).err
    assert "Invalid resolutions" in run("dataset", "check", folder, "--resolution", "x", code=2).err
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    assert "packed: 3 images" in run("dataset", "check", packed).err
    assert "1 image, 1 caption; 0 errors" in run("dataset", "check", folder / "a.png").err
    paired = run("dataset", "check", folder, "--arch", "flux_kontext", code=2)
    assert "trains on pairs" in paired.out
    add(tmp_path / "before", "a.png", "my b.png", "c.png")
    run(
        *("dataset", "check", folder, "--arch", "flux_kontext"),
        *("--control", tmp_path / "before", "--flavour", "webui"),
    )


@pytest.mark.skipif(os.name != "posix", reason="signals of a POSIX system")
def test_an_interrupt_leaves_no_half_copy(tmp_path: Path) -> None:
    """The temporary folder goes too, and the exit code says what happened."""
    folder, out = tmp_path / "set", tmp_path / "out"
    folder.mkdir()
    for number in range(40):
        picture(folder / f"{number}.bmp", (1500, 1500))
    picture(folder / "a.png")
    with start("dataset", "fix", folder, "--out", out / "copy") as process:
        deadline = time.monotonic() + 60
        while not list(out.glob(".fixing-*/copy/*.png")):
            assert process.poll() is None, "it ended too early"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert list(out.iterdir()) == []
