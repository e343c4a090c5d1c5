"""The whole path, command by command, on each version of the web UI and the Gradio app.

They are embedded servers, or the one that the environment names; see `tests.versions`.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import aitk_nb
from aitk_nb import AitkError, demo, discover
from tests import gradio_servers
from tests.cli.command import PATIENCE, Ran, run, served
from tests.conftest import TOKEN
from tests.versions import ERAS, FOREIGN, GRADIOS, NEWEST_ENDPOINT

LOGIN = ("somebody", "password-of-the-tests")
STEPS = 30
TRAIN = ("--steps", str(STEPS), "--lr", "1e-3", "--rank", "4", "--every", "0.1")
SAVES = 5 if FOREIGN else 1
"""How often a job is stopped with a save, as one that succeeds proves little."""


@dataclass
class Asked:
    """A server, and what is known of its version."""

    version: str
    url: str
    token: str
    train: tuple[str, ...] = ("--resolution", "64")
    suffix: str = field(default_factory=lambda: uuid.uuid4().hex[:6])
    """What makes names one's own."""

    @property
    def is_gradio(self) -> bool:
        """Whether it is a Gradio app."""
        return self.version in GRADIOS

    def since(self, era: demo.EraName) -> bool:
        """Return whether it is a web UI of that version or a newer one."""
        return not self.is_gradio and [*ERAS].index(self.version) >= ERAS.index(era)  # type: ignore[arg-type]

    def run(self, *args: str | Path, code: int = 0) -> Ran:
        """Run a command for this server."""
        return run(*args, env={"AITK_URL": self.url, "AITK_TOKEN": self.token}, code=code)

    def train_command(self, name: str, *options: str) -> tuple[str, ...]:
        """Return a command that trains `name`."""
        dataset = ("--dataset", f"cats_{self.suffix}")
        return ("train", "--name", f"{name}_{self.suffix}", *dataset, *self.train, *TRAIN, *options)


FAST = (ERAS[0], ERAS[-1], GRADIOS[-1])
"""The version that lacks most, and the newest ones."""


def _versions() -> list[Any]:
    if FOREIGN is not None:
        return ["foreign"]
    every = [*ERAS, *GRADIOS]
    return [pytest.param(v, marks=() if v in FAST else pytest.mark.slow) for v in every]


@pytest.fixture(params=_versions())
def asked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asked]:
    """Each version in turn, with a token or a login; or the server that the environment names."""
    version = str(request.param)
    if FOREIGN is not None:
        asked = Asked(FOREIGN.version or FOREIGN.era(), FOREIGN.url, FOREIGN.token, FOREIGN.train)
        yield asked
        if not asked.is_gradio:
            clean(asked)
    elif version in GRADIOS:
        major = version.removeprefix("gradio-")
        with gradio_servers.server(major, tmp_path / "data", login=LOGIN) as app:
            yield Asked(version, app.url, ":".join(LOGIN))
    else:
        era = next(era for era in ERAS if era == version)
        with demo.start(token=TOKEN, era=era, lives_on=0, save_seconds=0) as server:
            yield Asked(version, server.url, TOKEN)


def clean(asked: Asked) -> None:
    """Remove what was made on a server that stays."""
    with aitk_nb.connect(asked.url, token=asked.token or None) as client:
        for job in client.jobs.list():
            if job.name.endswith(asked.suffix):
                job.delete()
        with contextlib.suppress(AitkError):
            client.datasets.delete(f"cats_{asked.suffix}")


def test_the_whole_path(
    asked: Asked, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the login to the LoRA; what the server lacks is told with what to do instead."""
    # On a busy machine the time for all endpoints would end before the last of them.
    patient = {**(discover.__kwdefaults__ or {}), "seconds": PATIENCE}
    monkeypatch.setattr(discover, "__kwdefaults__", patient)
    found = _proof_and_discovery(asked)
    assert ("stop a job" in found["abilities"]) is not asked.is_gradio
    _upload(asked, photos)
    if asked.is_gradio:
        _not_stopped(asked)
    elif asked.since("2026-08"):
        for attempt in range(SAVES):
            _stopped_with_a_save(asked, f"saved{attempt}", tmp_path)
    else:
        _stopped_without_a_save(asked)
    _trained(asked)
    report = asked.run("download", f"path_{asked.suffix}", "--out", tmp_path, "--json").json
    lora = asked.run("lora", report["path"], "--json").json
    assert (True, True) == (lora["ok"], lora["finite"])
    assert 4 in lora["ranks"]  # convolutions have one of their own


def _proof_and_discovery(asked: Asked) -> dict[str, Any]:
    assert "accepted" in asked.run("auth").out
    found: dict[str, Any] = asked.run("discover", "--json").json
    told = asked.run("doctor").out
    assert asked.since("2026-08") is ("save a checkpoint on demand" not in told)
    if asked.is_gradio:
        assert found["version"].startswith(f"{asked.version.removeprefix('gradio-')}.")
    else:
        newest = next(newest for era, newest in NEWEST_ENDPOINT.items() if era == asked.version)
        assert (newest, []) == (found["newest"], found["lacking"])
    return found


def _upload(asked: Asked, photos: Path) -> None:
    send = ("dataset", "upload", photos, "--name", f"cats_{asked.suffix}", "--json")
    sent = asked.run(*send).json
    assert (24, 12, 12) == (sent["sent"], len(sent["images"]), len(sent["captions"]))
    again = asked.run(*send).json
    assert (0, sent["captions"]) == (again["sent"], again["captions"])


def _begun(asked: Asked, name: str, steps: int) -> str:
    """Return the name of a job that trains by now."""
    # Nothing but what is asked for is saved meanwhile.
    often = ("--steps", str(steps), "--save-every", str(steps))
    started = asked.run(*asked.train_command(name, *often))
    assert started.out.strip() == f"{name}_{asked.suffix}"
    until = time.monotonic() + PATIENCE
    while not next(job for job in _jobs(asked) if job["name"] == started.out.strip())["step"]:
        assert time.monotonic() < until, _jobs(asked)
        time.sleep(0.05)
    return started.out.strip()


def _jobs(asked: Asked) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = asked.run("jobs", "--json").json
    return listed


def _stopped_with_a_save(asked: Asked, name: str, folder: Path) -> None:
    """The checkpoint is one of the step at which it was asked for, or of a later one."""
    job = _begun(asked, name, 100_000)
    at = next(one for one in _jobs(asked) if one["name"] == job)["step"]
    stopped = asked.run("stop", job, "--save", "--json").json
    assert "stopped" == stopped["status"]
    (saved,) = stopped["saved"]
    report = asked.run("download", job, "--out", folder, "--json").json
    assert saved == Path(report["path"]).name
    lora = asked.run("lora", report["path"], "--json").json
    assert at <= lora["step"] == int(saved.removeprefix(f"{job}_").removesuffix(".safetensors"))
    assert lora["ok"]


def _stopped_without_a_save(asked: Asked) -> None:
    """By a signal, or by a flag that the trainer reads."""
    job = _begun(asked, "long", 100_000)
    refused = asked.run("stop", job, "--save", code=1)
    assert f"cannot save {job} now. Update AI Toolkit" in refused.err
    assert "running" == next(one for one in _jobs(asked) if one["name"] == job)["status"]
    assert "stopped" == asked.run("stop", job, "--json").json["status"]


def _not_stopped(asked: Asked) -> None:
    """It trains to its end, which two sentences say."""
    job = f"long_{asked.suffix}"
    asked.run(*asked.train_command("long", "--steps", "2000"))
    refused = asked.run("stop", job, "--save", code=1)
    assert "cannot save a checkpoint on demand. Choose save_every before the start" in refused.err
    refused = asked.run("stop", job, code=1)
    assert "cannot stop a job. A job that has started trains to its end" in refused.err
    assert "completed" == asked.run("watch", job, "--json").json["status"]


def _trained(asked: Asked) -> None:
    """Also a dry run before it, where requests can be listed, and the losses after it."""
    job, start = f"path_{asked.suffix}", asked.train_command("path")
    if not asked.is_gradio:
        planned = asked.run(*start, "--dry-run").out
        assert asked.since("2025-11") is ("/api/queue/0/start" in planned)
    trained = asked.run(*start, "--wait", "--json").json
    assert ("completed", STEPS) == (trained["status"], trained["step"])
    assert 0 < trained["loss"] < 3
    assert trained == asked.run("watch", job, "--json").json
    losses = asked.run("losses", job, "--json").json["losses"]["loss/loss"]
    assert losses["step"] == sorted({*losses["step"]})
    if asked.is_gradio or asked.since("2026-05"):
        assert list(range(1, STEPS)) == losses["step"]
    else:
        assert 0 < len(losses["step"]) <= STEPS


def test_the_command_serves_a_version(tmp_path: Path) -> None:
    """`serve --era`, which Gradio has not."""
    with served(tmp_path / "data", "--era", "2025-11") as (address, _process):
        found = run("discover", "--json", "--url", address).json
    assert NEWEST_ENDPOINT["2025-11"] == found["newest"]
    refused = run("serve", "--flavour", "gradio", "--era", "2025-11", code=2)
    assert "--era is for the web UI only" in refused.err
