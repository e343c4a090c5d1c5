"""What comes after the training, command by command, on the newest web UI.

It is an embedded server, or the one that the environment names; see `tests.versions`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from aitk_nb import AitkError, connect, demo
from tests.cli.test_every_server import STEPS, Asked, clean
from tests.conftest import TOKEN
from tests.versions import ERAS, FOREIGN, GRADIOS

OFTEN = ("--save-every", "10", "--max-saves", "10")
MOST = 1_000_000
"""Bytes of which a checkpoint's header is less."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """The newest web UI; nothing is known of earlier downloads."""
    monkeypatch.setenv("AITK_JOURNAL", str(tmp_path / "journal"))
    if FOREIGN is None:
        with demo.start(token=TOKEN, lives_on=0, save_seconds=0) as server:
            yield Asked(ERAS[-1], server.url, TOKEN)
        return
    version = FOREIGN.version or FOREIGN.era()
    if version in GRADIOS or ERAS.index(version) < ERAS.index("2026-08"):
        pytest.skip("needs the newest web UI, with its own trainer")
    asked = Asked(version, FOREIGN.url, FOREIGN.token, FOREIGN.train)
    yield asked
    clean(asked)
    with contextlib.suppress(AitkError), connect(asked.url, token=asked.token or None) as client:
        client.datasets.delete(f"others_{asked.suffix}")


@pytest.fixture
def others(photos: Path, tmp_path: Path) -> Path:
    """Photographs that are not in `photos`: two of them, mirrored."""
    folder = tmp_path / "others"
    folder.mkdir()
    for number in (3, 7):
        with Image.open(photos / f"photo_{number:02d}.jpg") as photograph:
            ImageOps.mirror(photograph).save(folder / f"other_{number}.jpg", quality=85)
        (folder / f"other_{number}.txt").write_text("a photograph, mirrored", encoding="utf-8")
    return folder


def test_the_way_to_a_machine_that_may_be_stopped(
    asked: Asked, photos: Path, others: Path, tmp_path: Path
) -> None:
    """Validation, the safe of a stop, all checkpoints, a warm start and some more steps."""
    for folder, name in ((photos, "cats"), (others, "others")):
        asked.run("dataset", "upload", folder, "--name", f"{name}_{asked.suffix}", "--json")
    validation = ("--validation", f"others_{asked.suffix}", "--validate-every", "10")
    first = asked.train_command("first", *OFTEN, *validation)
    assert (STEPS, "completed") == _ended(asked, *first)
    job = f"first_{asked.suffix}"
    losses = asked.run("losses", job, "--json").json["losses"]
    assert [1, 10, 20] == losses["val/loss"]["step"]

    assert job in asked.run("safe-to-stop", "--json", code=1).out
    asked.run("download", job, "--which", "all", "--out", tmp_path / job, "--json")
    inspected = asked.run("loras", "inspect", job, "--json").json
    assert (True, STEPS) == (inspected["ok"], inspected["step"])

    overlapping = asked.train_command("bad", "--validation", f"cats_{asked.suffix}")
    assert "is trained" in asked.run(*overlapping, code=2).err
    other_rank = asked.train_command("bad", "--init-lora", job, "--rank", "8")
    assert "rank" in asked.run(*other_rank, code=2).err

    warm = asked.train_command("warm", "--init-lora", f"{job}@20", "--steps", "12")
    assert (12, "completed") == _ended(asked, *warm)
    more = (*warm, "--more-steps", "8", "--if-exists", "resume")
    assert (20, "completed") == _ended(asked, *more)
    assert (20, "completed") == _ended(asked, *more)
    warm_job = f"warm_{asked.suffix}"
    with connect(asked.url, token=asked.token or None) as client:
        log = client.jobs.get(warm_job).log()
    assert f"{job}_000000020.safetensors" in log

    here = ("--folder", photos, "--folder", others, "--json")
    assert warm_job in asked.run("safe-to-stop", *here, code=1).out
    asked.run("download", warm_job, "--which", "all", "--out", tmp_path / warm_job, "--json")
    if FOREIGN is None:
        asked.run("safe-to-stop", *here)
    # Others may have left something on a server that stays.
    with connect(asked.url, token=asked.token or None) as client:
        report = client.safe_to_stop(folders=[photos, others])
    assert not [one for one in report.problems if asked.suffix in str(one)]


def _ended(asked: Asked, *command: str) -> tuple[int, str]:
    state = asked.run(*command, "--wait", "--json").json
    return state["step"], state["status"]
