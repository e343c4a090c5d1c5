"""The scripts of the requests, run without us: they start the same job as we do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aitk_nb.backends.base import Backend
from aitk_nb.demo import DemoServer
from aitk_nb.jobs.api import Jobs
from aitk_nb.models.server import Flavour
from aitk_nb.training.export import FORMATS
from aitk_nb.training.params import TrainingParams
from tests.backends.abilities import only


@pytest.mark.parametrize("gpu_ids", ["", "0"])
@pytest.mark.parametrize(
    ("title", "command", "name"),
    [
        ("Requests in Python", [sys.executable], "by python"),
        ("Requests with curl", ["bash"], "by curl's $HOME `id` é"),
    ],
)
def test_a_script_starts_the_same_job(
    title: str,
    command: list[str],
    name: str,
    gpu_ids: str,
    tmp_path: Path,
    backend: Backend,
    stand_in_server: DemoServer,
) -> None:
    """Our own start attaches to it: same name, same config, and it is on its way."""
    only(backend, Flavour.WEBUI, "the scripts speak its REST API")
    if command == ["bash"] and not (shutil.which("curl") and shutil.which("jq")):
        pytest.skip("curl or jq is not installed")
    (stand_in_server.data / "datasets" / "scripted").mkdir(parents=True, exist_ok=True)
    params = TrainingParams(
        name=name, dataset="scripted", steps=3, prompts="$HOME's", gpu_ids=gpu_ids
    )
    script = tmp_path / "script"
    script.write_text(FORMATS[title](params), encoding="utf-8")

    env = {**os.environ, "AITK_URL": stand_in_server.url, "AITK_TOKEN": ""}
    done = subprocess.run(
        [*command, str(script)], env=env, capture_output=True, text=True, timeout=30, check=False
    )

    assert 0 == done.returncode, done.stderr
    job = Jobs(backend).get(name)
    assert not job.state.never_started
    assert "0" == job.state.gpu_ids
    assert job.name == Jobs(backend).start(params).name
    assert 1 == sum(one.name == name for one in Jobs(backend).list())
