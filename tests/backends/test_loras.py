"""`client.loras`: what is listed, and an upload in chunks that survives what happens on the way."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import platformdirs
import pytest
from safetensors.numpy import save_file

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.webui import loras
from aitk_nb.errors import (
    BadInput,
    ConnectionFailed,
    NotSupported,
    Rejected,
    TransferFailed,
    Unauthorized,
    UnexpectedReply,
)
from aitk_nb.models.server import Ability
from tests.proxy import FaultProxy

CHUNK = 20_000


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Chunks of 20 kB, and a cache of the test's own, which is returned."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(loras, "CHUNK", CHUNK)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: cache)
    return cache / "uploads"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """A server of these tests' own."""
    with demo.start(tmp_path_factory.mktemp("loras")) as server:
        yield server


@pytest.fixture
def server(shared: demo.DemoServer) -> demo.DemoServer:
    """That server, without LoRAs: none of its requests removes one."""
    for path in (folder(shared), shared.data / "output" / "trained"):
        shutil.rmtree(path, ignore_errors=True)
    return shared


@pytest.fixture
def proxy(server: demo.DemoServer) -> Iterator[FaultProxy]:
    """A line to it."""
    with FaultProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client behind that line, which bears no outage."""
    with aitk_nb.connect(proxy.url, outage=0.0) as client:
        yield client


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """A LoRA of 100 kB."""
    path = tmp_path / "my lora.safetensors"
    save_file({"x.lora_A.weight": np.random.default_rng(0).random((50, 500), np.float32)}, path)
    return path


def folder(server: demo.DemoServer) -> Path:
    """Return the server's folder of LoRAs."""
    return server.data / "models" / "loras"


def sent(proxy: FaultProxy, action: str) -> list[dict[str, str]]:
    """Return the queries of the upload's steps of one kind that the server answered with 200."""
    queries = [
        {key: values[0] for key, values in parse_qs(urlsplit(exchange.path).query).items()}
        for exchange in proxy.log
        if "/api/loras/upload" in exchange.path and exchange.status == 200
    ]
    return [query for query in queries if query["action"] == action]


def test_it_arrives_whole_and_is_listed(
    server: demo.DemoServer,
    proxy: FaultProxy,
    client: aitk_nb.AIToolkitClient,
    lora: Path,
    small_chunks: Path,
) -> None:
    """With progress up to the last byte; nothing is left of the way, here or there."""
    size = lora.stat().st_size
    heard: list[tuple[int, int]] = []

    made = client.loras.upload(lora, progress=lambda *numbers: heard.append(numbers))

    assert client.can(Ability.LORAS)
    assert lora.read_bytes() == (folder(server) / lora.name).read_bytes()
    assert (lora.name, size, "") == (made.name, made.size, made.job)
    assert str(folder(server) / lora.name) == made.path
    assert (made,) == client.loras.list()
    assert (size, size) == heard[-1]
    assert list(range(0, size, CHUNK)) == sorted(int(q["offset"]) for q in sent(proxy, "chunk"))
    assert [[], []] == [list((folder(server) / ".uploads").iterdir()), list(small_chunks.iterdir())]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("other", "other.safetensors"),
        ("a.SafeTensors", "a.safetensors"),
        ("ü/b.safetensors", "__b.safetensors"),
        ("v1.5 (new) [x]", "v1.5 (new) [x].safetensors"),
        ("猫🐈", "___.safetensors"),
    ],
)
def test_names_are_those_that_the_server_gives(
    server: demo.DemoServer, client: aitk_nb.AIToolkitClient, lora: Path, name: str, there: str
) -> None:
    """ASCII, and with an ending by which the server lists it."""
    assert there == client.loras.upload(lora, name).name
    assert [there] == [path.name for path in folder(server).glob("[!.]*")]


@pytest.mark.parametrize("name", [".safetensors", ".hidden", "  "])
def test_names_that_the_server_refuses(
    proxy: FaultProxy, client: aitk_nb.AIToolkitClient, lora: Path, name: str
) -> None:
    """Without a stem, or hidden; a blank one is the file's own name in no case."""
    with pytest.raises(Rejected, match="must be a"):
        client.loras.upload(lora, name)
    assert not sent(proxy, "start")


@pytest.mark.parametrize("content", [b"", b"not one", b"<html>login</html>"])
def test_another_file_is_not_sent(
    proxy: FaultProxy, client: aitk_nb.AIToolkitClient, tmp_path: Path, content: bytes
) -> None:
    """Nor half a LoRA, nor none."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        client.loras.upload(path)
    with pytest.raises(BadInput, match="can't be read"):
        client.loras.upload(tmp_path / "absent.safetensors")
    assert not sent(proxy, "start")


def test_half_a_lora_is_not_sent(client: aitk_nb.AIToolkitClient, lora: Path) -> None:
    """As of a download that broke off elsewhere."""
    lora.write_bytes(lora.read_bytes()[:50_000])
    with pytest.raises(BadInput, match="incomplete"):
        client.loras.upload(lora)


def test_a_name_that_is_taken(
    server: demo.DemoServer, client: aitk_nb.AIToolkitClient, lora: Path
) -> None:
    """Nothing is replaced unless asked."""
    folder(server).mkdir(parents=True)
    (folder(server) / lora.name).write_bytes(b"older")
    with pytest.raises(Rejected, match=r"already exists.*overwrite=True") as caught:
        client.loras.upload(lora)
    assert 409 == caught.value.status
    assert b"older" == (folder(server) / lora.name).read_bytes()

    client.loras.upload(lora, overwrite=True)

    assert lora.read_bytes() == (folder(server) / lora.name).read_bytes()


def test_an_upload_goes_on_where_it_ended(
    server: demo.DemoServer,
    proxy: FaultProxy,
    client: aitk_nb.AIToolkitClient,
    lora: Path,
    small_chunks: Path,
) -> None:
    """After an outage, in another process too: no chunk that arrived is sent again."""
    proxy.answer("POST", r"/api/loras/upload\?.*chunk.*", 502, after=2)
    with pytest.raises(TransferFailed, match="only the rest") as caught:
        client.loras.upload(lora)
    assert [lora.name] == list(caught.value.failures)
    assert not (folder(server) / lora.name).exists()
    assert 1 == len(list(small_chunks.iterdir()))
    first = {query["offset"] for query in sent(proxy, "chunk")}
    proxy.clear()
    proxy.log.clear()
    heard: list[int] = []

    with aitk_nb.connect(proxy.url) as other:
        other.loras.upload(lora, progress=lambda done, _: heard.append(done))

    assert not sent(proxy, "start")
    assert not first & {query["offset"] for query in sent(proxy, "chunk")}
    assert len(first) * CHUNK <= min(heard)
    assert lora.read_bytes() == (folder(server) / lora.name).read_bytes()
    assert not list(small_chunks.iterdir())


def test_an_outage_on_the_way(server: demo.DemoServer, proxy: FaultProxy, lora: Path) -> None:
    """Pages of a gateway and broken lines: it waits, and goes on."""
    page = {"Content-Type": "text/html"}
    proxy.answer("POST", ".*chunk.*", 404, page, b"<html>no pod</html>", times=3, after=1)
    proxy.answer("POST", ".*chunk.*", 502, times=3, after=1)

    with aitk_nb.connect(proxy.url) as client:
        client.loras.upload(lora)

    assert lora.read_bytes() == (folder(server) / lora.name).read_bytes()


def test_an_outage_at_the_last_step(
    server: demo.DemoServer, proxy: FaultProxy, client: aitk_nb.AIToolkitClient, lora: Path
) -> None:
    """Everything has arrived: the next call only finishes."""
    proxy.answer("POST", ".*finish.*", 502)
    with pytest.raises(ConnectionFailed):
        client.loras.upload(lora)
    proxy.clear()
    proxy.log.clear()

    client.loras.upload(lora)

    assert lora.read_bytes() == (folder(server) / lora.name).read_bytes()
    assert not sent(proxy, "start") + sent(proxy, "chunk")


def test_an_upload_that_the_server_has_dropped_begins_anew(
    server: demo.DemoServer, proxy: FaultProxy, client: aitk_nb.AIToolkitClient, lora: Path
) -> None:
    """After a day the server sweeps what is not finished."""
    proxy.answer("POST", r"/api/loras/upload\?.*chunk.*", 502, after=2)
    with pytest.raises(TransferFailed):
        client.loras.upload(lora)
    proxy.clear()
    for part in (folder(server) / ".uploads").iterdir():
        part.unlink()

    client.loras.upload(lora)

    assert lora.read_bytes() == (folder(server) / lora.name).read_bytes()


def test_another_content_begins_anew(
    server: demo.DemoServer, proxy: FaultProxy, client: aitk_nb.AIToolkitClient, lora: Path
) -> None:
    """The same name and size: chunks of two trainings are not mixed."""
    proxy.answer("POST", r"/api/loras/upload\?.*chunk.*", 502, after=2)
    with pytest.raises(TransferFailed):
        client.loras.upload(lora)
    proxy.clear()
    save_file({"x.lora_A.weight": np.random.default_rng(1).random((50, 500), np.float32)}, lora)

    client.loras.upload(lora)

    assert lora.read_bytes() == (folder(server) / lora.name).read_bytes()


def test_a_file_that_changes_meanwhile_is_not_finished(
    server: demo.DemoServer, client: aitk_nb.AIToolkitClient, lora: Path
) -> None:
    """Neither there nor listed."""

    def change(done: int, _total: int) -> None:
        if done >= 2 * CHUNK:
            lora.write_bytes(random.Random(1).randbytes(lora.stat().st_size))

    with pytest.raises(TransferFailed, match="changed"):
        client.loras.upload(lora, progress=change)

    assert () == client.loras.list()


def test_the_answer_to_the_last_step_is_lost(
    server: demo.DemoServer, proxy: FaultProxy, client: aitk_nb.AIToolkitClient, lora: Path
) -> None:
    """Asked again, the server knows nothing of the upload; the list shows that it arrived."""
    lost = {"error": "Upload not found or expired"}
    real = loras.WebUILoras._post

    def twice(self, file, params, content=b""):  # type: ignore[no-untyped-def]
        body = real(self, file, params, content)
        return real(self, file, params, content) if params["action"] == "finish" else body

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loras.WebUILoras, "_post", twice)
        assert lora.name == client.loras.upload(lora).name
    assert lora.read_bytes() == (folder(server) / lora.name).read_bytes()

    # But an older file of that name proves nothing.
    proxy.answer("POST", ".*finish.*", 404, {"Content-Type": "application/json"}, _json(lost))
    with pytest.raises(UnexpectedReply):
        client.loras.upload(lora, overwrite=True)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("received", [b'{"received": 7}', b"[]", b"no json"])
def test_a_chunk_of_another_size_is_an_error(
    server: demo.DemoServer,
    proxy: FaultProxy,
    client: aitk_nb.AIToolkitClient,
    lora: Path,
    received: bytes,
) -> None:
    """The server's own check by size would not see a chunk that is missing."""
    proxy.answer("POST", ".*chunk.*", 200, {}, received)
    with pytest.raises(TransferFailed):
        client.loras.upload(lora)
    assert not sent(proxy, "finish")


def test_jobs_and_folders_are_listed(
    server: demo.DemoServer, client: aitk_nb.AIToolkitClient
) -> None:
    """Those of a job under its name, those of a folder with it; nothing hidden."""
    row = {"name": "trained", "gpu_ids": "0", "job_config": {}}
    httpx.post(f"{server.url}/api/jobs", json=row).raise_for_status()
    names = ["trained.safetensors", "trained_000000010.safetensors", "optimizer.pt"]
    paths = [server.data / "output" / "trained" / name for name in names]
    names = ["b.safetensors", "a/c.safetensors", "d.ckpt", ".hidden/e.safetensors"]
    names += ["1/2/3/4/5/f.safetensors", ".g.safetensors", "1/2/3/4/5/6/h.safetensors"]
    for age, path in enumerate([*paths, *(folder(server) / name for name in names)]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (1_790_000_000 - age, 1_790_000_000 - age))

    found = [(lora.job, lora.name) for lora in client.loras.list()]

    assert [
        ("trained", "trained.safetensors"),
        ("trained", "trained_000000010.safetensors"),
        ("", "1/2/3/4/5/f.safetensors"),
        ("", "a/c.safetensors"),
        ("", "b.safetensors"),
    ] == found
    assert 1_790_000_000 == client.loras.list()[0].modified


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"jobs": [], "models": [1]}', b"null"])
def test_an_odd_list_is_an_error(
    proxy: FaultProxy, client: aitk_nb.AIToolkitClient, body: bytes
) -> None:
    """And says so."""
    proxy.answer("GET", "/api/loras", 200, {"Content-Type": "application/json"}, body)
    with pytest.raises(UnexpectedReply, match="list its LoRAs"):
        client.loras.list()


def test_a_server_without_the_endpoint(
    proxy: FaultProxy, client: aitk_nb.AIToolkitClient, lora: Path
) -> None:
    """Older than 0.13: the ability is missing, and what to do instead is said."""
    page = {"Content-Type": "text/html; charset=utf-8"}
    proxy.answer(".*", "/api/loras.*", 404, page, b"<html>404</html>")

    assert not client.can(Ability.LORAS)
    for call in (client.loras.list, lambda: client.loras.upload(lora)):
        with pytest.raises(NotSupported, match=re.escape("copy the file to it yourself")):
            call()


def test_a_server_that_is_away_may_have_it(
    proxy: FaultProxy, client: aitk_nb.AIToolkitClient
) -> None:
    """It is not called unable for good, and the call says what is wrong."""
    proxy.answer("PUT", ".*", 503)
    assert client.can(Ability.LORAS)
    proxy.clear()
    assert client.can(Ability.LORAS)
    assert () == client.loras.list()


def test_a_token_that_is_missing_is_said(tmp_path: Path) -> None:
    """And not that the server is too old."""
    with demo.start(tmp_path / "closed", token="T") as server:
        with aitk_nb.connect(server.url) as client, pytest.raises(Unauthorized):
            client.loras.list()
        with aitk_nb.connect(server.url, token="T") as client:
            assert () == client.loras.list()
