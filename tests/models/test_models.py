"""States, names, and file names that stay where they belong."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aitk_nb.errors import BadInput
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.names import check_name, name_problem, safe_file_name

WINDOWS_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{kind}{number}" for kind in ("COM", "LPT") for number in "0123456789¹²³"
}
ANYTHING = st.text(st.characters(), max_size=300)
"""Text with half surrogate pairs too: JSON can hold them."""


def test_an_unknown_status_breaks_nothing() -> None:
    """The word is kept, and the job is neither active nor ended."""
    status = JobStatus("paused")

    assert JobStatus.UNKNOWN is status
    assert not status.is_final
    assert not status.is_active
    assert JobStatus.UNKNOWN is JobStatus("")


@pytest.mark.parametrize("status", [s for s in JobStatus if s is not JobStatus.UNKNOWN])
def test_a_job_is_either_active_or_ended(status: JobStatus) -> None:
    """Never both."""
    assert status.is_final is not status.is_active


@pytest.mark.parametrize(
    ("step", "total", "progress"),
    [(0, 10, 0.0), (5, 10, 0.5), (11, 10, 1.0), (-1, 10, 0.0), (5, None, None), (5, 0, None)],
)
def test_progress_is_a_share(step: int, total: int | None, progress: float | None) -> None:
    """Between 0 and 1, or unknown."""
    assert progress == JobState("x", JobStatus.RUNNING, step, total).progress


@pytest.mark.parametrize(
    "name", ["cat", "My cat 01", "Été à Paris", "猫 🐈", "a.b-c_d", "100%", "x" * 200, "$HOME"]
)
def test_names_that_can_be_used(name: str) -> None:
    """Spaces, accents and emoji are fine."""
    assert name_problem(name) is None
    assert name == check_name("job", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        ".hidden",
        "a/b",
        "a\\b",
        "a/../b",
        "..a",
        "a..b",
        "/etc/passwd",
        "C:\\x",
        "a\x00b",
        "a\nb",
        " padded",
        "padded ",
        "x" * 201,
        "ü" * 101,
        "half \ud800 pair",
        "${HOME}",
    ],
)
def test_names_that_would_leave_their_folder_are_refused(name: str) -> None:
    """In one sentence that says why."""
    assert name_problem(name)
    with pytest.raises(BadInput, match="cannot be the name of a job: "):
        check_name("job", name)


@given(ANYTHING)
def test_an_accepted_name_is_one_folder(name: str) -> None:
    """On every system, whatever the text."""
    if name_problem(name) is not None:
        return
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind("root" if kind is PurePosixPath else "C:/root", name)
        assert path.name == name or ":" in name
    assert 0 < len(name.encode()) <= 200


@given(ANYTHING)
@example("../../etc/passwd")
@example("..\\..\\windows\\win.ini")
@example("C:\\x")
@example("con.txt")
@example("CON .txt")
@example("com¹")
@example("conin$")
@example("a" * 10 + "." + "b" * 199)
@example("x" * 5 + "con." + "b" * 196)
@example("🐈" * 200)
@example("lora.safetensors:stream")
@example("half \ud800 pair")
@example("trailing. . ")
@example("trailing\x7f")
@example(" ")
def test_a_safe_name_never_leaves_its_folder(name: str) -> None:
    """On POSIX and on Windows it is a plain file in the folder it is put in."""
    safe = safe_file_name(name)

    assert safe not in {"", ".", ".."}
    assert not safe.startswith(".")
    assert not set(safe) & set('<>:"/\\|?*\x7f')
    assert all(ord(char) >= 32 for char in safe)
    assert safe == safe.rstrip(". ")
    assert len(safe.encode()) <= 255
    assert PurePosixPath("/root", safe).parent == PurePosixPath("/root")
    assert PureWindowsPath("C:/root", safe).parent == PureWindowsPath("C:/root")
    assert safe.split(".")[0].rstrip().upper() not in WINDOWS_DEVICES
    assert safe == safe_file_name(safe)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cat.safetensors", "cat.safetensors"),
        ("cat_000000250.safetensors", "cat_000000250.safetensors"),
        ("Été à Paris 🐈.safetensors", "Été à Paris 🐈.safetensors"),
        ("/srv/output/cat/cat.safetensors", "cat.safetensors"),
        ("C:\\out\\cat.safetensors", "cat.safetensors"),
        (".htaccess", "_.htaccess"),
        ("..", "_"),
        ("nul", "_nul"),
        ("a?b.png", "a_b.png"),
    ],
)
def test_usual_names_stay_as_they_are(name: str, safe: str) -> None:
    """Only what is dangerous is changed."""
    assert safe == safe_file_name(name)


def test_a_long_name_keeps_its_ending() -> None:
    """By which its kind is known."""
    assert safe_file_name("ü" * 300 + ".safetensors").endswith("ü.safetensors")


def test_a_safe_name_can_be_written(tmp_path: Path) -> None:
    """By this system, for a few of the worst."""
    for name in ("🐈" * 200, "a" * 400, "half \ud800 pair", "x\x00y", "..", "a\nb"):
        (tmp_path / safe_file_name(name)).write_bytes(b"")


def test_a_dataset_is_one_line() -> None:
    """However many images it has."""
    images = tuple(f"{number}.png" for number in range(1000))
    assert "<dataset 'cats': 1000 images, 1 caption>" == repr(
        DatasetInfo("cats", images, {"0.png": "a cat"})
    )
