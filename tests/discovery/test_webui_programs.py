"""Every endpoint and operation of the web UI in three languages, run against a server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from aitk_nb import connect, discover
from aitk_nb.backends.webui.catalog import CATALOG
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import OPERATIONS
from tests.conftest import TOKEN
from tests.discovery.programs import run, run_all

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer

LANGUAGES = ("curl", "python", "javascript")
LAST = ("delete_file", "delete_image", "delete_dataset", "delete_job")
"""What has to come after everything else."""

REFUSED = {"album_art": 404, "run_script": None}
"""Endpoints that have nothing to give here: there is no sound file, and no script is run."""


@pytest.fixture
def photo(photos: Path, tmp_path: Path) -> Path:
    """A folder with one picture and its caption, in the folder of the programs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for suffix in ("jpg", "txt"):
        (folder / f"it's 1.{suffix}").write_bytes((photos / f"photo_00.{suffix}").read_bytes())
    return folder


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_endpoint(
    language: str, token_server: DemoServer, photo: Path, tmp_path: Path
) -> None:
    """Each program calls its endpoint, with the token from the environment."""
    report = discover(token_server.url, token=TOKEN)
    values = _values(token_server, f"snippets_{language}", photo)
    names = [entry.name for entry in CATALOG if entry.name not in LAST] + list(LAST)
    programs = {name: report.snippet(name, language, values.get(name)) for name in names}

    ran = run_all(programs, language, tmp_path, {"AITK_TOKEN": TOKEN}, ok=False)

    failed = {name: r.err for name, r in ran.items() if r.code and name not in REFUSED}
    assert not failed
    for name, status in REFUSED.items():
        assert ran[name].code
        assert re.search(rf"\b{status or '4..|5..'}\b", ran[name].out + ran[name].err)
    assert "a photograph of an officer" in ran["caption"].out
    assert b"\xff\xd8" == (tmp_path / "it_s_1.jpg").read_bytes()[:2]
    assert not any(TOKEN in program for program in programs.values())


def _values(server: DemoServer, name: str, photo: Path) -> dict[str, dict[str, Any]]:
    """Make a dataset and a job of that name, and return the values that name them."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        body = {"name": name, "gpu_ids": "93", "job_config": {"config": {"process": []}}}
        made = http.post("/api/jobs", json=body).json()
        settings = http.get("/api/settings").json()
    root = f"{settings['DATASETS_FOLDER']}/{name}"
    image = f"{root}/it_s_1.jpg"
    job = {"id": made["id"]}
    folders = {key: settings.get(key, "") for key in ("HF_TOKEN", "TRAINING_FOLDER")}
    folders |= {key: settings.get(key, "") for key in ("DATASETS_FOLDER", "MODELS_PATH")}
    per_job = {e.name: job for e in CATALOG if "{id}" in e.path}
    return {
        **per_job,
        "save_settings": folders,
        "create_dataset": {"name": name},
        "upload_files": {"datasetName": name, "files": [str(p) for p in sorted(photo.iterdir())]},
        "delete_dataset": {"name": name},
        "list_images": {"datasetName": name},
        "image": {"path": image},
        "set_caption": {"imgPath": image, "caption": "a photograph of an officer, again"},
        "delete_image": {"imgPath": image},
        "upload_control": {"files": [str(photo / "it's 1.jpg")]},
        "caption": {"imgPath": image},
        "captions": {"imgPaths": [image]},
        "album_art": {"path": image},
        "save_job": {"id": made["id"], "name": name, "gpu_ids": "93"},
        "start_queue": {"gpu_ids": f"9{len(name)}"},
        "stop_queue": {"gpu_ids": f"9{len(name)}"},
        "file": {"path": image},
        "delete_file": {"filePath": f"{root}/it_s_1.txt"},
        "upload_lora": {"fileName": f"{name}.safetensors", "size": 6},
        "zip": {"zipTarget": "dataset", "datasetName": name},
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "closed", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["open", "token"]
)
def test_the_four_operations(
    language: str, closed: bool, request: pytest.FixtureRequest, photo: Path, tmp_path: Path
) -> None:
    """A dataset is made, a job trains on it to its end, and its LoRA is fetched."""
    server = request.getfixturevalue("token_server" if closed else "demo_server")
    token = TOKEN if closed else None
    report = discover(server.url, token=token)
    env = {"AITK_TOKEN": TOKEN} if closed else {}
    name = f"by {language} 'n co"
    values: dict[str, Any] = {"name": name, "dataset": f"Set of {language}", "steps": 8}

    def do(operation: str, **given: object) -> str:
        return run(report.snippet(operation, language, given), language, tmp_path, env).out

    dataset = do("create dataset", name=values["dataset"], folder=str(photo)).split()[-1]
    assert f"set_of_{language}" == dataset
    started = do("start training", **{**values, "dataset": dataset}).split()[-1]
    with connect(server.url, token=token) as client:
        job = client.jobs.get(name)
        *_, last = job.watch(every=0.1)
    assert started == last.id
    assert "completed" in do("job status", name=name)
    do("download LoRA", name=name)
    (lora,) = tmp_path.glob("*.safetensors")
    assert lora.read_bytes()[8:9] == b"{"


@pytest.mark.parametrize("language", LANGUAGES)
def test_programs_as_first_printed(language: str, demo_server: DemoServer, tmp_path: Path) -> None:
    """They fit together, say what to change, and end with a sentence where that was not done."""
    report = discover(demo_server.url)
    printed = {name: report.snippet(name, language) for name in OPERATIONS}
    with connect(demo_server.url) as client:
        before = client.datasets.list()

        ran = {
            name: run(printed[name], language, tmp_path, ok=False)
            for name in ("create dataset", "job status", "download LoRA")
        }

        assert before == client.datasets.list()
    changes = [
        next(line for line in text.splitlines() if "Change to yours" in line)
        for text in printed.values()
    ]
    assert all(line.startswith(("# ", "// ")) for line in changes)
    assert ["my_photos" in line for line in changes] == [True, True, False, False]
    assert ["my_lora" in line for line in changes] == [False, True, True, True]
    assert all(text.splitlines()[0].startswith(("#", "//")) for text in printed.values())
    assert "put your images there" in ran["create dataset"].err
    assert "There is no job named my_lora" in ran["job status"].err
    assert "There is no job named my_lora" in ran["download LoRA"].err
    assert all(each.code for each in ran.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_job_without_a_lora(language: str, demo_server: DemoServer, tmp_path: Path) -> None:
    """The program says so in a sentence, and leaves no file."""
    name = f"nothing yet by {language}"
    body = {"name": name, "gpu_ids": "94", "job_config": {"config": {"process": []}}}
    httpx.post(f"{demo_server.url}/api/jobs", json=body).raise_for_status()
    program = discover(demo_server.url).snippet("download LoRA", language, {"name": name})

    ran = run(program, language, tmp_path, ok=False)

    assert ran.code
    assert re.search("has not saved a LoRA yet", ran.err)
    assert not list(tmp_path.glob("*.safetensors"))


def test_an_older_server_gets_other_programs(demo_server: DemoServer) -> None:
    """Without queues and losses, nothing calls them."""
    from tests.proxy import FaultProxy

    with FaultProxy(demo_server.url) as proxy:
        for path in (r"/api/jobs/0/loss", r"/api/queue/.*"):
            proxy.answer("PUT", path, 404, {"Content-Type": "text/html"}, b"<html>")
        report = discover(proxy.url)

    for language in LANGUAGES:
        assert "/api/queue" not in report.snippet("start training", language)
        assert "/loss" not in report.snippet("job status", language)


def test_what_cannot_be_written_says_so(demo_server: DemoServer) -> None:
    """Unknown names, languages and values are named, with what there is instead."""
    report = discover(demo_server.url)

    with pytest.raises(BadInput, match="no endpoint or operation named 'nothing'"):
        report.snippet("nothing")
    with pytest.raises(BadInput, match="Unknown language"):
        report.snippet("auth", "cobol")
    with pytest.raises(BadInput, match="for the web UI use 'python'"):
        report.snippet("auth", "gradio_client")
    with pytest.raises(BadInput, match=r"job_log has no nonsense; its parameters: id, offset\."):
        report.snippet("job_log", "curl", {"nonsense": 1})
    with pytest.raises(BadInput, match="steps"):
        report.snippet("start training", "curl", {"steps": -1})
    with pytest.raises(BadInput, match="No training server answered"):
        discover("http://127.0.0.1:9").snippet("auth")
