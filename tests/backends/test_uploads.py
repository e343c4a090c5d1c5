"""Uploads over a bad line: each file retried by itself, and nothing sent twice."""

from __future__ import annotations

from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.errors import (
    InvalidDataset,
    TransferFailed,
)
from tests.backends.progress import Heard, quiet, uploads
from tests.proxy import FaultProxy


def test_an_upload_survives_resets(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """Every file is on the server, byte for byte."""
    files = uploads(tmp_path / "f", *(f"{n}.png" for n in range(10)))
    # The folders are asked for and the dataset is made over the first connection.
    line.list_datasets()
    proxy.reset_next(6)
    heard = Heard()

    line.upload("resets", files, heard)

    stored = demo_server.data / "datasets" / "resets"
    for file in files:
        assert file.source.read_bytes() == (stored / file.name).read_bytes()
    assert 50_000 == heard.done[-1]
    assert line.missing("resets", files) == ((), ())


def test_a_file_the_server_refuses_fails_alone(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """The big one meets a limit on the way; the next call sends it and nothing else."""
    small = uploads(tmp_path / "f", "a.png", "b.png")
    big = uploads(tmp_path / "f", "big.png", size=50_000)
    proxy.max_body = 20_000

    with pytest.raises(TransferFailed, match=r"big\.png") as caught:
        line.upload("limited", (*small, *big), quiet)

    assert 2 == caught.value.done
    assert line.missing("limited", (*small, *big)) == (big, ())
    proxy.clear()
    line.upload("limited", big, quiet)
    assert line.missing("limited", (*small, *big)) == ((), ())


def test_losing_only_the_manifest_is_not_a_failure(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """All files arrived; without the notes they are read back the next time."""
    files = uploads(tmp_path / "f", *(f"{number}.png" for number in range(30)), size=10)
    proxy.max_body = 1500  # more than a few of the files take, and less than thirty notes

    line.upload("unnoted", files, quiet)

    stored = {path.name for path in (demo_server.data / "datasets" / "unnoted").iterdir()}
    assert {file.name for file in files} == stored
    proxy.clear()
    assert line.missing("unnoted", files) == ((), ())


def test_a_failed_upload_names_its_files_when_the_line_is_gone(
    proxy: FaultProxy, line: WebUI, tmp_path: Path
) -> None:
    """The notes cannot be written either, and that does not hide which files are missing."""
    first, second = uploads(tmp_path / "f", "a.png", "b.png")
    line.upload("line_is_gone", (first,), quiet)
    line._datasets.rate.down = 0.5
    proxy.answer("POST", "/api/datasets/upload", 502)

    with pytest.raises(TransferFailed, match=r"b\.png"):
        line.upload("line_is_gone", (second,), quiet)


def test_a_file_that_shrinks_while_it_is_sent_is_noticed(line: WebUI, tmp_path: Path) -> None:
    """The server has another size than was meant."""
    (file,) = uploads(tmp_path / "f", "a.png")
    file.source.write_bytes(b"short")

    with pytest.raises(TransferFailed, match=r"a\.png"):
        line.upload("shrunk", (file,), quiet)


def test_calling_again_sends_nothing(
    proxy: FaultProxy, photos: Path, demo_server: demo.DemoServer
) -> None:
    """Twice the same folder: 24 files, then none; other content is refused, then replaced."""
    with aitk_nb.connect(proxy.url) as client:
        first = client.datasets.upload(photos, "Once Only")
        before = len(proxy.log)
        second = client.datasets.upload(photos, "Once Only")
        posts = [e.path for e in proxy.log[before:] if e.method == "POST"]

        assert (24, 0, 0, 24) == (first.sent, first.kept, second.sent, second.kept)
        assert "once_only" == second.name
        assert "/api/datasets/upload" not in posts
        assert "/api/datasets/create" not in posts
        assert 12 == len(second.images) == len(second.captions)
        changed = demo_server.data / "datasets" / "once_only" / "photo_00.txt"
        changed.write_text("something else, and longer")
        with pytest.raises(InvalidDataset, match=r"photo_00\.txt"):
            client.datasets.upload(photos, "Once Only")
        assert 1 == client.datasets.upload(photos, "Once Only", if_differs="replace").sent
