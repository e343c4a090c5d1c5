"""Functions and operations of AI Toolkit's Gradio app, run as printed, with and without a login."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aitk_nb import Flavour, discover
from aitk_nb.backends.gradio.matching import match
from aitk_nb.discovery.report import DiscoveryReport
from aitk_nb.models.endpoint import Endpoint, Parameter
from tests.backends.wiretap import Wiretap
from tests.discovery.programs import compiled, run, run_all
from tests.discovery.test_operations import PHOTOS
from tests.gradio_servers import LOGIN

if TYPE_CHECKING:
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
    (folder / ".DS_Store").write_bytes(
        b"a dot-file, which an app of Gradio 5 or 6 answers with 500"
    )
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
def test_what_fails_on_the_server_fails_here(
    language: str, report: DiscoveryReport, photo: Path, tmp_path: Path
) -> None:
    """A training that ends in an error, and a single call that is refused."""
    training = report.snippet("start training", language, {"name": "outside", "folder": "photos"})
    call = report.snippet("/start_training", language, {"lora_name": ""})

    programs = {"training": training.replace("aitk-", "../../../../aitk-"), "call": call}
    ran = run_all(programs, language, tmp_path, ENV, ok=False)

    assert 0 != ran["training"].code
    assert "leads out of this server" in ran["training"].out + ran["training"].err
    assert 0 != ran["call"].code
    assert "You forgot" in ran["call"].out + ran["call"].err


def test_gradio_client_sends_no_token_and_tells_nobody(
    gradio_login_server: GradioServer, photo: Path, tmp_path: Path
) -> None:
    """Every printed program, with a planted Hugging Face token, and with a way to the world."""
    with Wiretap(gradio_login_server.url) as tap, Wiretap() as world:
        report = discover(tap.url, credentials=LOGIN)
        names = [name for name in ALONE if name.startswith("/")]
        programs = {name: report.snippet(name, "gradio_client") for name in names}
        for name in ("create dataset", "start training"):
            given = {"folder": "photos"} | ({"steps": 2} if "training" in name else {})
            programs[name] = report.snippet(name, "gradio_client", given)
        proxies = {f"{kind}_proxy": world.url for kind in ("http", "https", "all")}
        planted = {"HF_TOKEN": "hf_Planted", "HF_HOME": str(tmp_path), "no_proxy": "127.0.0.1"}
        run_all(programs, "gradio_client", tmp_path, {**ENV, **proxies, **planted})

    assert not [request for request in tap.requests if b"hf_Planted" in request]
    assert () == world.connections


def test_no_upload_where_the_training_takes_none(tmp_path: Path) -> None:
    """A stranger's app, whose training names what it trains on."""
    functions = (
        Endpoint("/import_images", "POST", "/c", "", (PHOTOS,), index=0),
        Endpoint("/train", "POST", "/c", "", (Parameter("steps", "number", default=9),
                                              Parameter("lora_name", "string")), index=1),
    )  # fmt: skip
    report = DiscoveryReport(
        "http://127.0.0.1:9", Flavour.GRADIO, endpoints=functions, operations=match(functions)
    )
    for language in LANGUAGES:
        text = report.snippet("start training", language, {"steps": 7, "name": "mine"})
        assert "/upload" not in text
        assert "photos" not in text
        assert "mine" in text.splitlines()[1]
        assert "9" not in text.replace(":9", "")
    code = report.snippet("start training", "typescript", {"name": "mine"})
    assert compiled({"client": code}, tmp_path)


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
