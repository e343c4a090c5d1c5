"""A dataset from a zip, a list of files, or addresses: nothing leaves its folder, nothing hangs."""

from __future__ import annotations

import gc
import io
import os
import stat
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aitk_nb.backends.wire.web_images import fetch_all
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Code
from aitk_nb.errors import InvalidDataset
from tests.datasets.pictures import add, image, picture


def png(seed: str = "a") -> bytes:
    """Return a picture's bytes."""
    buffer = io.BytesIO()
    image(seed).save(buffer, "PNG")
    return buffer.getvalue()


def packed(path: Path, members: dict[str, bytes]) -> Path:
    """Write a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# -- zips ----------------------------------------------------------------------------------------


def test_a_zip_is_a_dataset(tmp_path: Path) -> None:
    """Also one that holds a single folder, and a Mac's clutter; it goes with the dataset."""
    path = packed(
        tmp_path / "cats.zip",
        {
            "cats/a.png": png(),
            "cats/a.txt": b"a cat",
            "cats/control/a.png": png("c"),
            "__MACOSX/cats/._a.png": b"junk",
            "cats/.DS_Store": b"junk",
        },
    )
    dataset = LocalDataset(path).raise_for_errors()
    assert dataset.name == "cats"
    assert dataset.captions == {"a.png": "a cat"}
    assert [len(controls.files) for controls in dataset.controls] == [1]
    assert dataset.problems == ()
    folder = dataset.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 or os.name == "nt"
    assert dataset.check(dataset.requirements).images[0].is_file()
    del dataset
    gc.collect()
    assert not folder.exists()


def test_members_that_lead_out_are_left_out(tmp_path: Path) -> None:
    """By their names, as links, by passwords or as bombs: each is told, the others are there."""
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", png())
        for name in ("../up.png", "/abs.png", "a/../../up2.png", "..\\up3.png", "C:\\x.png"):
            archive.writestr(name, png(name))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.png", b"\0" * 20_000_000)
        archive.writestr("GOOD.png", png("other"))
    before = set(tmp_path.iterdir())
    dataset = LocalDataset(path)
    assert [image.name for image in dataset.images] == ["good.png"]
    left_out = [problem for problem in dataset.problems if problem.code is Code.UNSAFE_MEMBER]
    assert len(left_out) == 8
    assert sum("leads out of the folder" in problem.message for problem in left_out) == 5
    assert all(str(problem).count(":") >= 1 for problem in left_out)
    assert set(tmp_path.iterdir()) == before
    assert not (dataset.folder.parent / "up.png").exists()


def test_zips_that_cannot_be_read(tmp_path: Path) -> None:
    """One sentence each; a damaged member is a problem of its name."""
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 and nothing")
    with pytest.raises(InvalidDataset, match=r"not a readable zip.*pack it again"):
        LocalDataset(tmp_path / "no.zip").raise_for_errors()
    path = packed(tmp_path / "cut.zip", {"a.png": png(), "b.png": png("b")})
    raw = bytearray(path.read_bytes())
    raw[60:90] = b"\xff" * 30
    path.write_bytes(raw)
    dataset = LocalDataset(path)
    assert [one.name for one in dataset.images] == ["b.png"]
    assert [problem.file for problem in dataset.errors] == ["a.png"]


@settings(suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_bytes_of_a_zip_make_a_scan_raise(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A damaged zip is refused by a sentence, or has what can be read of it."""
    path = packed(tmp_path_factory.mktemp("zip") / "a.zip", {"a.png": png(), "a.txt": b"a cat"})
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        dataset = LocalDataset(path).check()
    except InvalidDataset:
        return
    inside = dataset.folder.resolve()
    assert all(file.resolve().is_relative_to(inside) for file in dataset.files)


def test_a_folder_named_zip_is_a_folder(tmp_path: Path) -> None:
    """Its name alone decides nothing."""
    add(tmp_path / "set.zip", "a.png", "a.txt")
    assert len(LocalDataset(tmp_path / "set.zip").images) == 1


# -- lists ---------------------------------------------------------------------------------------


def test_a_list_of_files_brings_its_captions(tmp_path: Path) -> None:
    """Each image's caption beside it; what is not there is an error, and two of a name too."""
    add(tmp_path / "one", "a.png", "a.txt", "b.png")
    add(tmp_path / "two", "a.png", "c.png")
    dataset = LocalDataset([tmp_path / "one" / "a.png", str(tmp_path / "two" / "c.png")])
    assert [path.name for path in dataset.images] == ["a.png", "c.png"]
    assert dataset.captions == {"a.png": "a cat"}
    assert dataset.errors == ()
    missing = LocalDataset([tmp_path / "one" / "a.png", tmp_path / "gone.png"])
    assert [problem.file for problem in missing.errors] == ["gone.png"]
    both = LocalDataset([tmp_path / "one" / "a.png", tmp_path / "two" / "a.png"])
    assert {problem.code for problem in both.errors} == {Code.COLLISION}
    with pytest.raises(InvalidDataset, match="doesn't name a file"):
        LocalDataset([]).raise_for_errors()


# -- addresses -----------------------------------------------------------------------------------


class Pictures(BaseHTTPRequestHandler):
    """A small web server with well-behaved and odd addresses."""

    seen: list[str] = []  # noqa: RUF012 - one list for all requests
    gate = threading.Event()

    def do_GET(self) -> None:
        """Answer by the path."""
        self.seen.append(self.headers.get("authorization") or self.path)
        kind, body = "image/png", png(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        if self.path == "/gone.png":
            self.send_error(404)
            return
        if self.path == "/page":
            kind, body = "text/html", b"<html>"
        self.send_response(200)
        self.send_header("content-type", kind)
        if self.path == "/endless.png":
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"\0" * 100_000)
            return
        length = 999_999_999 if self.path == "/long.png" else len(body)
        self.send_header("content-length", str(length))
        self.end_headers()
        if self.path == "/slow.png":
            self.gate.wait(20)
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    """The address of a web server with pictures."""
    Pictures.seen, Pictures.gate = [], threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Pictures.gate.set()
        server.shutdown()
        thread.join()


def test_images_by_their_addresses(web: str, tmp_path: Path) -> None:
    """Fetched in their order, beside files; one that cannot be had is an error with its reason."""
    add(tmp_path, "own.png", "own.txt")
    wanted = ("z.png?size=1", "x/z.png", f"to/{web}/moved", "gone.png")
    addresses = [f"{web}/{path}" for path in wanted]
    dataset = LocalDataset([*addresses, tmp_path / "own.png"])
    names = [path.name for path in dataset.images]
    assert names == ["0000_z.png", "0001_z.png", "0002_moved.png", "own.png"]
    (error,) = dataset.errors
    assert (error.file, error.code) == ("gone.png", Code.UNREADABLE)
    assert "its server answers 404" in error.message
    assert len(LocalDataset(f"{web}/one.png").images) == 1


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://127.0.0.1/a.png", "only http and https"),
        ("WEB/to/file:///etc/passwd", "only http and https"),
        ("WEB/to/WEB/to/WEB/to/WEB/to/WEB/to/WEB/to/WEB/a.png", "more than 5 redirects"),
        ("WEB/long.png", "longer than 0.5 MB"),
        ("WEB/endless.png", "longer than 0.5 MB"),
        ("http://[::1", "not an address"),
        ("http://127.0.0.1:1/a.png", "cannot be fetched: ConnectError"),
    ],
)
def test_addresses_that_are_not_followed(web: str, tmp_path: Path, address: str, why: str) -> None:
    """Other schemes, also behind a redirect, endless redirects and endless files."""
    wanted = address.replace("WEB", web)
    found = fetch_all([wanted], tmp_path, max_bytes=500_000)
    assert why in str(found[wanted])
    assert list(tmp_path.iterdir()) == []


def test_a_slow_address_is_given_up(web: str, tmp_path: Path) -> None:
    """The time is for the whole of one address."""
    threading.Timer(0.3, Pictures.gate.set).start()
    found = fetch_all([f"{web}/slow.png"], tmp_path, seconds=0.1)
    assert "takes too long" in str(found[f"{web}/slow.png"])


def test_a_password_of_an_address_is_not_sent(web: str, tmp_path: Path) -> None:
    """Neither given, nor by a redirect."""
    host = web.removeprefix("http://")
    found = fetch_all([f"http://me:secret@{host}/a.png"], tmp_path)
    assert isinstance(next(iter(found.values())), Path)
    assert not any("Basic" in line for line in Pictures.seen)


def test_a_page_is_no_image(web: str) -> None:
    """Its type is told."""
    (error,) = LocalDataset([f"{web}/page", f"{web}/a.png"]).errors
    assert (error.file, error.message) == ("page", "'page' is not an image, but text/html")


def test_progress_of_a_scan(tmp_path: Path) -> None:
    """It counts bytes and ends at all of them."""
    for number in range(5):
        picture(tmp_path / f"{number}.png")
    told: list[tuple[int, int]] = []
    dataset = LocalDataset(tmp_path).check(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (dataset.total_bytes, dataset.total_bytes)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
