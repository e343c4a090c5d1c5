"""What leaves for a Gradio server: no token of Hugging Face's, no telemetry, no secret but a login.

`tests/gradio` runs the same on other generations of Gradio.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote_plus

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.gradio.journal import DatasetNote, Journal, Notes
from aitk_nb.errors import BadInput
from tests import gradio_servers
from tests.backends.wiretap import Wiretap

HUGGING_FACE = "hf_PlantedTokenOfHuggingFace"
WEB_UI = "planted-token-of-a-web-ui"

WHOLE_WAY = """
import os, sys
import aitk_nb
from pathlib import Path

login = (os.environ.pop("WHO"), os.environ.pop("WORD"))
client = aitk_nb.connect(sys.argv[1], credentials=login)
images = aitk_nb.LocalDataset(aitk_nb.example_photos()).images[:2]
print(client.datasets.describe(images))
client.datasets.upload(aitk_nb.example_photos(), "private")
params = aitk_nb.TrainingParams(
    name="private", dataset="private", steps=5, learning_rate=1e-3, rank=4
)
job = client.jobs.start(params)
for state in job.watch(every=0.1):
    print(state, job.losses())
print(job, job.download(sys.argv[2]), client)
import huggingface_hub
assert huggingface_hub.get_token() == "hf_PlantedTokenOfHuggingFace"
"""


def test_nothing_secret_and_nothing_unasked_leaves(
    any_login_server: demo.GradioServer, tmp_path: Path
) -> None:
    """The whole way, captions included, with tokens planted where libraries look for them."""
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(HUGGING_FACE)
    user, password = gradio_servers.LOGIN
    with Wiretap(any_login_server.url) as tap, Wiretap() as world:
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", WHOLE_WAY, tap.url, str(tmp_path / "out")],
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("GRADIO")},
                "HF_HOME": str(tmp_path / "hf"),
                "HF_TOKEN": HUGGING_FACE,
                "AI_TOOLKIT_AUTH": WEB_UI,
                "AITK_JOURNAL": str(tmp_path / "journal"),
                "WHO": user,
                "WORD": password,
                **{f"{kind}_proxy": world.url for kind in ("http", "https", "all")},
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=Path(__file__).parents[2],
        )
        requests, elsewhere = tap.requests, world.connections

    assert 0 == ran.returncode, ran.stderr
    assert "completed" in ran.stdout
    assert () == elsewhere, "somebody called somebody else"
    paths = [request.split(b" ", 2)[1].decode() for request in requests]
    assert {"/config", "/login"} <= set(paths)
    assert any("start_training" in path for path in paths)
    assert any("queue/join" in path for path in paths), "captions go by gradio_client"
    for request in requests:
        assert not re.search(HUGGING_FACE.encode(), request)
        assert not re.search(WEB_UI.encode(), request)
        assert not re.search(rb"(?im)^(x-hf-)?authorization:", request)
        if not request.startswith(b"POST /login "):
            for form in (password, quote_plus(password)):
                assert form.encode() not in request
    cookies = {
        value.encode()
        for request in requests
        for value in re.findall(r"access-token[^=]*=([^;\s]+)", request.decode("latin-1"))
    }
    assert cookies
    kept = [path for path in (tmp_path / "journal").rglob("*") if path.is_file()]
    assert kept
    for secret in (password.encode(), HUGGING_FACE.encode(), WEB_UI.encode(), *cookies):
        for path in kept:
            assert secret not in path.read_bytes()
        assert secret.decode() not in ran.stdout + ran.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
def test_notes_are_for_their_owner_only(tmp_path: Path) -> None:
    """The folder and every file in it, whatever the user's mask."""
    before = os.umask(0)
    try:
        journal = Journal("http://x", tmp_path / "notes")
        with journal.change() as notes:
            notes.datasets["a"] = DatasetNote("a")
        with journal.watcher("job"):
            pass
    finally:
        os.umask(before)

    assert 0o700 == stat.S_IMODE((tmp_path / "notes").stat().st_mode)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "notes").iterdir()}
    assert {0o600} == modes


def test_notes_survive_a_failure_and_tell_of_damage(tmp_path: Path) -> None:
    """A change that fails is none; a file that cannot be read says what to do."""
    journal = Journal("http://x", tmp_path)
    with journal.change() as notes:
        notes.datasets["kept"] = DatasetNote("kept")

    def fail() -> None:
        with journal.change() as notes:
            notes.datasets.clear()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ["kept"] == list(journal.read().datasets)
    assert Notes() == Journal("http://y", tmp_path).read()

    journal.path.write_text("[")
    with pytest.raises(BadInput, match=r"Can't read the journal.*Delete it"):
        journal.read()


def test_notes_of_a_newer_version_are_read(tmp_path: Path) -> None:
    """What it has added is passed over."""
    journal = Journal("http://x", tmp_path)
    with journal.change() as notes:
        notes.datasets["a"] = DatasetNote("a")
    text = journal.path.read_text("utf-8").replace('"name": "a"', '"name": "a", "new": 1')
    journal.path.write_text(text, "utf-8")

    assert DatasetNote("a") == journal.read().datasets["a"]


def test_a_login_shows_nowhere(any_login_server: demo.GradioServer) -> None:
    """Not in what a client, or an error of it, shows of itself."""
    with aitk_nb.connect(any_login_server.url, credentials=gradio_servers.LOGIN) as client:
        client.datasets.list()
        cookie = next(iter(client._backend._http.cookies.values()))  # type: ignore[attr-defined]
        shown = repr(client) + repr(client._backend) + client._repr_html_()
        shown += client._backend._http.clean(f"echo: {cookie}")  # type: ignore[attr-defined]

    assert gradio_servers.LOGIN[1] not in shown
    assert cookie not in shown
