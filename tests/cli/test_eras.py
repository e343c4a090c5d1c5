"""The whole path, command by command, on the embedded server as each version of the web UI."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitk_nb import demo
from aitk_nb.demo import EraName
from tests.cli.command import run, served
from tests.conftest import TOKEN

DAYS = {"0.13": "2026-10-31"}
NEWEST_ENDPOINT = {
    "2025-08": "2025-07-17",
    "2025-11": "2025-10-14",
    "2026-05": "2026-05-18",
    "2026-08": "2026-08-14",
    "0.13": "2026-09-19",
}
"""As AI Toolkit's own web UIs of these months are dated."""

TRAIN = ("--steps", "30", "--lr", "1e-3", "--rank", "4", "--resolution", "64", "--every", "0.1")


@pytest.fixture(params=NEWEST_ENDPOINT)
def era(request: pytest.FixtureRequest) -> str:
    """Each version in turn."""
    return str(request.param)


@pytest.fixture
def url(era: EraName) -> Iterator[str]:
    """The address of an embedded server of that version, with a token."""
    with demo.start(token=TOKEN, era=era, lives_on=0, save_seconds=0) as server:
        yield server.url


def test_the_whole_path(era: str, url: str, photos: Path, tmp_path: Path) -> None:
    """From the login to the LoRA; what the version lacks is told with what to do instead."""
    at = {"AITK_URL": url, "AITK_TOKEN": TOKEN}
    day = DAYS.get(era, era)
    has_losses, can_save = day >= "2025-12", day >= "2026-05-26"

    assert "accepted" in run("auth", env=at).out
    found = run("discover", "--json", env=at).json
    assert NEWEST_ENDPOINT[era] == found["newest"]
    assert [] == found["lacking"]
    told = run("doctor", env=at).out
    assert can_save is ("save a checkpoint on demand" not in told)
    sent = run("dataset", "upload", photos, "--name", "cats", "--json", env=at).json
    assert (24, 12, 12) == (sent["sent"], len(sent["images"]), len(sent["captions"]))
    again = run("dataset", "upload", photos, "--name", "cats", "--json", env=at).json
    assert (0, sent["captions"]) == (again["sent"], again["captions"])

    start = ("train", "--name", "path", "--dataset", "cats", *TRAIN)
    planned = run(*start, "--dry-run", env=at).out
    assert (day >= "2025-10") is ("/api/queue/0/start" in planned)
    trained = run(*start, "--wait", "--json", env=at).json
    assert ("completed", 30) == (trained["status"], trained["step"])
    assert 0 < trained["loss"] < 3
    assert trained == run("watch", "path", "--json", env=at).json
    losses = run("losses", "path", "--json", env=at).json["losses"]["loss/loss"]
    assert losses["step"] == sorted({*losses["step"]})
    if has_losses:
        assert list(range(1, 30)) == losses["step"]
    else:
        assert 0 < len(losses["step"]) <= 30
    report = run("download", "path", "--out", tmp_path, "--json", env=at).json
    lora = run("lora", report["path"], "--json", env=at).json
    assert (True, 4, True) == (lora["ok"], lora["rank"], lora["finite"])


def test_a_job_is_stopped(era: EraName, photos: Path) -> None:
    """By a signal, or by a flag that the trainer reads; without saving where that is not there."""
    with demo.start(token=TOKEN, era=era, lives_on=0, save_seconds=0) as server:
        at = {"AITK_URL": server.url, "AITK_TOKEN": TOKEN}
        run("dataset", "upload", photos, "--name", "cats", env=at)
        train = ("train", "--name", "long", "--dataset", "cats", "--steps", "100000")
        run(*train, "--resolution", "64", env=at)
        until = time.monotonic() + 60
        while not run("jobs", "--json", env=at).json[0]["step"]:
            assert time.monotonic() < until
            time.sleep(0.05)
        if DAYS.get(era, era) < "2026-05-26":
            refused = run("stop", "long", "--save", env=at, code=1)
            assert "cannot save long now. Update AI Toolkit" in refused.err
            (job,) = run("jobs", "--json", env=at).json
            assert "running" == job["status"]
        stopped = run("stop", "long", "--json", env=at).json
        assert "stopped" == stopped["status"]


def test_the_command_serves_a_version(tmp_path: Path) -> None:
    """`serve --era`, which Gradio has not."""
    with served(tmp_path / "data", "--era", "2025-11") as (address, _process):
        found = run("discover", "--json", "--url", address).json
    assert NEWEST_ENDPOINT["2025-11"] == found["newest"]
    refused = run("serve", "--flavour", "gradio", "--era", "2025-11", code=2)
    assert "--era is for the web UI only" in refused.err
