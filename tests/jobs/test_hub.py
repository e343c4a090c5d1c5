"""`Job.push_to_hub`, by Hugging Face's own package, to an imitation of its Hub."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import yaml

import aitk_nb
from aitk_nb import AitkError, BadInput, Job, demo

TOKEN = "hf_planted_token_of_the_tests"


class Hub(BaseHTTPRequestHandler):
    """Takes repositories and commits, for one token."""

    created: ClassVar[list[dict[str, Any]]] = []
    committed: ClassVar[dict[str, bytes]] = {}
    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Answer what a commit asks for."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": f"no such token: {self.headers.get('Authorization')}"})
        elif self.path == "/api/repos/create":
            self.created.append(json.loads(body))
            self._answer(200, {"url": f"{self._root}/me/cat", "name": "me/cat"})
        elif "/preupload/" in self.path:
            files = [one["path"] for one in json.loads(body)["files"]]
            modes = [{"path": one, "uploadMode": "regular", "shouldIgnore": False} for one in files]
            self._answer(200, {"files": modes})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.committed[line["value"]["path"]] = content
            url = f"{self._root}/me/cat/commit/{'0' * 40}"
            self._answer(200, {"success": True, "commitOid": "0" * 40, "commitUrl": url})
        else:
            self._answer(200, {"errors": [], "warnings": []})

    @property
    def _root(self) -> str:
        return f"http://{self.headers['Host']}"

    def _answer(self, status: int, found: object) -> None:
        content = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Be quiet."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """An empty Hub, to which somebody is logged in."""
    Hub.created.clear(), Hub.committed.clear(), Hub.paths.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    yield Hub
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def job(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """A job with samples."""
    with (
        demo.start(tmp_path_factory.mktemp("hub")) as server,
        aitk_nb.connect(server.url) as client,
    ):
        client.datasets.upload(photos, "cats")
        params = aitk_nb.TrainingParams(
            name="cat", dataset="cats", steps=6, rank=4, resolution=[64], trigger_word="grc",
            prompts=["[trigger] | on a [b]mat", "x"], sample_every=3, sample_width=64,
            sample_height=64, base_model="black-forest-labs/FLUX.1-dev",
        )  # fmt: skip
        job = client.jobs.start(params)
        job.wait(every=0.1)
        yield job


def test_a_dry_run_shows_all_and_sends_nothing(hub: type[Hub], job: Job, tmp_path: Path) -> None:
    """It is the default; the card says what the config says."""
    push = job.push_to_hub("me/cat", folder=tmp_path)

    assert (hub.paths, push.url) == ([], "")
    names = {"README.md", "cat.safetensors", "cat.yaml"}
    assert names == {name for name in push.files if not name.startswith("samples/")}
    assert len(push.files) == 3 + len(job.samples(0))
    front = yaml.safe_load(push.card.split("---\n")[1])
    assert front["base_model"] == "black-forest-labs/FLUX.1-dev"
    assert front["instance_prompt"] == "grc"
    assert "| Rank | 4 |" in push.card
    assert "A dry run" in push._repr_html_()


def test_everything_goes_in_one_commit(
    hub: type[Hub], job: Job, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the token of the login, which is shown nowhere."""
    push = job.push_to_hub("me/cat", folder=tmp_path, dry_run=False)

    (created,) = hub.created
    assert created.get("private") or created["visibility"] == "private"
    assert push.files.keys() == hub.committed.keys()
    assert hub.committed["cat.safetensors"] == (tmp_path / "cat.safetensors").read_bytes()
    assert hub.committed["README.md"].decode() == push.card
    assert push.url.endswith("/me/cat")
    shown = "".join([repr(push), push._repr_html_(), *capfd.readouterr()])
    assert TOKEN not in shown
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [content for content in written if TOKEN.encode() in content]


def test_who_may_not_is_told(
    hub: type[Hub], job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong token, none, and a name that is none; no error quotes the token."""
    with pytest.raises(BadInput, match="is user/name; got 'cat'"):
        job.push_to_hub("cat", folder=tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_token_of_the_tests")
    with pytest.raises(AitkError, match=r"did not take me/cat: HTTP 401\. Check") as caught:
        job.push_to_hub("me/cat", folder=tmp_path, dry_run=False)
    assert "wrong_token" not in str(caught.value)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(BadInput, match="Nobody is logged in"):
        job.push_to_hub("me/cat", folder=tmp_path, dry_run=False)
    assert not hub.committed
