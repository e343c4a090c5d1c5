"""Functions and operations of AI Toolkit's Gradio app, run as printed, with and without a login."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aitk_nb import discover
from tests.discovery.programs import run, run_all
from tests.gradio_servers import LOGIN

if TYPE_CHECKING:
    from aitk_nb import DiscoveryReport
    from aitk_nb.demo import GradioServer

LANGUAGES = ("curl", "python", "gradio_client", "javascript")

ENV = {"AITK_USERNAME": LOGIN[0], "AITK_PASSWORD": LOGIN[1]}

ALONE = ("/hide_captioning", "/create_dataset", "/run_captioning", "config", "info", "login",
         "upload", "queue_status")  # fmt: skip
"""What can be called by itself; the others need a session with something in it."""


@pytest.fixture
def photo(photos: Path, tmp_path: Path) -> Path:
    """A folder with two pictures and their captions, in the folder of the programs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (0, 1):
        for suffix in ("jpg", "txt"):
            name = f"photo_0{number}.{suffix}"
            (folder / name).write_bytes((photos / name).read_bytes())
    (tmp_path / "photo.jpg").write_bytes((photos / "photo_00.jpg").read_bytes())
    return folder


@pytest.fixture(scope="module")
def report(gradio_login_server: GradioServer) -> DiscoveryReport:
    """What there is behind the login."""
    return discover(gradio_login_server.url, credentials=LOGIN)


@pytest.mark.parametrize("language", LANGUAGES)
def test_functions_and_addresses(
    language: str, report: DiscoveryReport, photo: Path, tmp_path: Path
) -> None:
    """Each program calls one, with the login from the environment."""
    names = [name for name in ALONE if language != "gradio_client" or name.startswith("/")]
    programs = {name: report.snippet(name, language) for name in names}

    ran = run_all(programs, language, tmp_path, ENV)

    assert all(each.out.strip() for each in ran.values())
    assert not any(LOGIN[1] in program for program in programs.values())
    if language != "gradio_client":
        assert "event: complete" in ran["/create_dataset"].out
        assert "photo.jpg" in ran["upload"].out
        assert '"error"' not in "".join(each.out for each in ran.values() if "msg" in each.out)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_four_operations(
    language: str, report: DiscoveryReport, photo: Path, tmp_path: Path
) -> None:
    """A dataset is made, a training runs to its end, and its LoRA is fetched."""
    name = f"by-{language.replace('_', '-')}"

    def do(operation: str, **given: object) -> str:
        return run(report.snippet(operation, language, given), language, tmp_path, ENV).out

    assert do("create dataset", folder="photos").strip()
    started = do("start training", name=name, folder="photos", steps=4)
    assert "Training completed successfully" in started
    results = started.split()[-1]
    status = do("job status", name=name, results=results)
    assert f"{name}.safetensors" in status
    assert "403" not in status
    do("download LoRA", name=name, results=results)
    assert b"{" == (tmp_path / f"{name}.safetensors").read_bytes()[8:9]


@pytest.mark.parametrize("language", LANGUAGES)
def test_programs_as_first_printed(language: str, report: DiscoveryReport, tmp_path: Path) -> None:
    """They say what to change, and end with a sentence where that was not done."""
    names = ("create dataset", "start training", "download LoRA")
    printed = {name: report.snippet(name, language) for name in names}

    ran = {name: run(text, language, tmp_path, ENV, ok=False) for name, text in printed.items()}

    for name, text in printed.items():
        assert any("Change to yours" in line for line in text.splitlines()[:2])
        assert ran[name].code
    assert "put your images there" in ran["create dataset"].err
    assert "put your images there" in ran["start training"].err
    assert re.search("wait for the end|40[34]", ran["download LoRA"].err)
    assert not list(tmp_path.glob("*.safetensors"))
