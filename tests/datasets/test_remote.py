"""`client.datasets` on what is on the server: verify, mirror, captions, download, delete."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

import aitk_nb
from aitk_nb.datasets.digest_cache import FILE
from aitk_nb.datasets.download import local_names
from aitk_nb.errors import BadInput, NotFound, TransferFailed
from aitk_nb.models.dataset import FileState
from tests.proxy import FaultProxy

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer


@pytest.fixture
def client(demo_server: DemoServer) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client of the open embedded server."""
    with aitk_nb.connect(demo_server.url) as connected:
        yield connected


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    """A copy of the photographs that a test may change."""
    copy = tmp_path / "photos"
    copy.mkdir()
    for path in photos.glob("photo_*"):
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def stored(server: DemoServer, name: str) -> Path:
    """Return the folder of a dataset on the server."""
    return server.data / "datasets" / name


def test_an_upload_says_what_it_found(client: aitk_nb.AIToolkitClient, folder: Path) -> None:
    """The report names every file."""
    report = client.datasets.upload(folder, "reported", verify="full").report

    assert report is not None
    assert report.ok
    assert {path.name for path in folder.glob("photo_*")} == {file.name for file in report.files}
    assert {FileState.SAME} == {file.state for file in report.files}
    assert "24 identical" in repr(report)


def test_verify_names_what_is_wrong_and_the_next_upload_mends_it(
    client: aitk_nb.AIToolkitClient, demo_server: DemoServer, folder: Path
) -> None:
    """A file that is gone, one that is cut short, and one of the same size with other bytes."""
    client.datasets.upload(folder, "damaged")
    there = stored(demo_server, "damaged")
    (there / "photo_00.jpg").unlink()
    half = (there / "photo_01.jpg").read_bytes()[:1000]
    (there / "photo_01.jpg").write_bytes(half)
    swapped = bytearray((there / "photo_02.jpg").read_bytes())
    swapped[500] ^= 255
    (there / "photo_02.jpg").write_bytes(swapped)
    (there / "other.png").write_bytes(b"somebody else's")

    report = client.datasets.verify(folder, "damaged", verify="full")

    assert not report.ok
    assert ("photo_00.jpg",) == report.missing
    assert ("photo_01.jpg", "photo_02.jpg") == report.differing
    assert ("other.png",) == report.extra
    assert "photo_01.jpg" in report._repr_html_()

    info = client.datasets.upload(folder, "damaged", if_differs="replace", verify="full")
    assert 3 == info.sent
    assert client.datasets.verify(folder, "damaged", verify="full").ok
    assert (there / "other.png").exists()


def test_what_was_sent_and_is_not_there_is_sent_once_more(
    demo_server: DemoServer, folder: Path
) -> None:
    """A server that says yes and keeps half is found out by the look at the end."""
    with FaultProxy(demo_server.url) as proxy, aitk_nb.connect(proxy.url) as client:
        names = [f"photo_{number:02}.jpg" for number in range(12)]
        lie = json.dumps({"message": "Files uploaded successfully", "files": names})
        # The first request carries the twelve images, since they come first and fit.
        for path in folder.glob("*.txt"):
            path.unlink()
        proxy.answer("POST", "/api/datasets/upload", 200, {}, lie.encode(), times=1)

        info = client.datasets.upload(folder, "lied_to")

    assert len(info.images) == 12
    there = stored(demo_server, "lied_to")
    assert all((there / n).read_bytes() == (folder / n).read_bytes() for n in names)


def test_mirror_asks_and_says_what_it_deletes(
    client: aitk_nb.AIToolkitClient, demo_server: DemoServer, folder: Path
) -> None:
    """Nothing goes without a yes; then what is not in the folder does, captions included."""
    client.datasets.upload(folder, "mirrored")
    there = stored(demo_server, "mirrored")
    (there / "sub").mkdir()
    Image.new("RGB", (8, 8)).save(there / "sub" / "100%.png")
    Image.new("RGB", (8, 8)).save(there / "other.png")
    (there / "other.txt").write_text("another caption")
    (folder / "photo_00.jpg").unlink()
    (folder / "photo_00.txt").unlink()
    theirs = {"other.png", "other.txt", "sub/100%.png", "photo_00.jpg", "photo_00.txt"}

    with pytest.raises(BadInput, match=r"would delete 5 files.*other\.png"):
        client.datasets.upload(folder, "mirrored", mirror=True)
    asked: list[str] = []
    client.datasets.upload(
        folder, "mirrored", mirror=True, confirm=lambda names: bool(asked.extend(names))
    )
    assert theirs == set(asked)
    assert (there / "other.png").exists()

    info = client.datasets.upload(folder, "mirrored", mirror=True, confirm=lambda _names: True)

    assert 11 == len(info.images)
    left = {p.relative_to(there).as_posix() for p in there.rglob("*") if p.is_file()}
    assert theirs.isdisjoint(left)
    assert client.datasets.verify(folder, "mirrored", verify="full").ok


def test_a_second_call_reads_no_file_and_sends_none(demo_server: DemoServer, folder: Path) -> None:
    """Also in another process: what is known lies beside the files."""
    local = aitk_nb.LocalDataset(folder)
    with FaultProxy(demo_server.url) as proxy:
        with aitk_nb.connect(proxy.url) as client:
            client.datasets.upload(local, "again")
        notes = json.loads((folder / FILE).read_text())["files"]
        assert 24 == len(notes)
        assert {"size", "mtime_ns", "sha256", "server_name"} == notes["photo_00.jpg"].keys()
        before = len(proxy.log)
        with aitk_nb.connect(proxy.url) as client:
            for path in folder.glob("*.jpg"):
                times = path.stat().st_atime_ns, path.stat().st_mtime_ns
                # Reading it would tell: the content is another one, under the same time and size.
                path.write_bytes(b"x" * path.stat().st_size)
                os.utime(path, ns=times)
            assert (0, 24) == (
                (info := client.datasets.upload(local, "again")).sent,
                info.kept,
            )
        assert not [e for e in proxy.log[before:] if e.path == "/api/datasets/upload"]
        assert 30 > len(proxy.log) - before


def test_notes_of_a_folder_that_cannot_be_written_go_to_the_cache(
    client: aitk_nb.AIToolkitClient,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder is left as it was."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere

    client.datasets.upload(folder, "read only")

    assert not (folder / FILE).exists()
    (found,) = (tmp_path / "cache").rglob("*.json")
    assert 24 == len(json.loads(found.read_text())["files"])
    assert 0 == client.datasets.upload(folder, "read only").sent


def test_another_machine_sends_only_what_changed(
    client: aitk_nb.AIToolkitClient, folder: Path
) -> None:
    """Without our notes beside the files, the server's tell."""
    client.datasets.upload(folder, "elsewhere")
    (folder / FILE).write_text("{ broken")
    (folder / "photo_05.txt").write_text("a new caption", encoding="utf-8")

    info = client.datasets.upload(folder, "elsewhere", if_differs="replace")

    assert (1, 23) == (info.sent, info.kept)
    assert "a new caption" == info.captions["photo_05.jpg"]


def test_a_caption_edited_on_the_server_is_noticed(
    client: aitk_nb.AIToolkitClient, folder: Path
) -> None:
    """Although its size is the same and our notes say that we sent it."""
    client.datasets.upload(folder, "edited")
    text = client.datasets.get_captions("edited")["photo_00.jpg"]
    client.datasets.set_captions("edited", {"photo_00.jpg": text.swapcase()})

    assert 1 == client.datasets.upload(folder, "edited", if_differs="replace").sent
    assert text == client.datasets.get_captions("edited")["photo_00.jpg"]


def test_captions_are_written_in_a_batch(client: aitk_nb.AIToolkitClient, folder: Path) -> None:
    """Every one, whatever is in it; an image that is not there is named before anything is sent."""
    client.datasets.upload(folder, "captioned")
    new = {f"photo_{n:02}.jpg": f"caption {n}: “ünï” 猫\nsecond line" for n in range(12)}

    with pytest.raises(BadInput, match=r"no image 'nobody\.jpg'"):
        client.datasets.set_captions("captioned", {**new, "nobody.jpg": "x"})
    assert "officer" in client.datasets.get_captions("captioned")["photo_00.jpg"]

    info = client.datasets.set_captions("captioned", new)

    assert new == dict(info.captions)


def test_control_images_become_a_dataset_of_their_own(
    client: aitk_nb.AIToolkitClient, folder: Path
) -> None:
    """Called as the dataset, with what they are behind."""
    (folder / "control").mkdir()
    for path in folder.glob("*.jpg"):
        (folder / "control" / path.name).write_bytes(path.read_bytes())

    info = client.datasets.upload(folder, "pairs")

    assert 36 == info.sent
    assert info.images == client.datasets.get("pairs_control").images
    assert 0 == client.datasets.upload(folder, "pairs").sent


def test_a_dataset_is_fetched_file_by_file_or_as_a_zip(
    client: aitk_nb.AIToolkitClient, demo_server: DemoServer, folder: Path, tmp_path: Path
) -> None:
    """Byte for byte, with captions; a second time nothing is fetched."""
    client.datasets.upload(folder, "fetched")
    nested = stored(demo_server, "fetched") / "sub" / "con.png"
    nested.parent.mkdir()
    Image.new("RGB", (8, 8)).save(nested)

    first = client.datasets.download("fetched", tmp_path / "out")
    second = client.datasets.download("fetched", tmp_path / "out")

    out = tmp_path / "out" / "fetched"
    assert str(out) == first.path
    assert (True, False) == (first.fetched, second.fetched)
    for path in folder.glob("photo_*"):
        assert path.read_bytes() == (out / path.name).read_bytes()
    assert nested.read_bytes() == (out / "sub" / "_con.png").read_bytes()
    packed = client.datasets.download("fetched", tmp_path / "out", as_zip=True)
    assert Path(packed.path).read_bytes().startswith(b"PK")
    assert "fetched.zip" == Path(packed.path).name


def test_names_of_a_server_stay_in_the_folder_and_apart() -> None:
    """Whatever it lists."""
    names = ["../../etc/passwd.png", "a.png", "A.PNG", "/abs.png", "x\\..\\y.png", "..", "nul.txt"]

    found = local_names(names)

    assert len(names) == len({str(path).casefold() for path in found.values()})
    assert not any(path.is_absolute() or ".." in path.parts for path in found.values())


def test_a_dataset_is_deleted_by_its_exact_name(
    client: aitk_nb.AIToolkitClient, demo_server: DemoServer, folder: Path
) -> None:
    """What the server would quietly take for another name, or for nothing, is refused."""
    client.datasets.upload(folder, "doomed")
    for name in ("Doomed", "doomed/", "doom", "", ".."):
        with pytest.raises((NotFound, BadInput)):
            client.datasets.delete(name)
    assert stored(demo_server, "doomed").is_dir()

    client.datasets.delete("doomed")

    assert "doomed" not in client.datasets.list()
    assert not stored(demo_server, "doomed").exists()


def test_thumbnails_make_a_contact_sheet(client: aitk_nb.AIToolkitClient, folder: Path) -> None:
    """Small pictures from the server, in order, with their captions."""
    from aitk_nb.views import contact_sheet

    client.datasets.upload(folder, "sheet")

    items = client.datasets.thumbnails("sheet", 5)

    assert 5 == len(items)
    assert "part 1" in items[0][1]
    with Image.open(io.BytesIO(items[0][0])) as picture:
        assert max(picture.size) <= 300
    assert contact_sheet(items)._repr_html_().count("<img") == 5


def test_what_the_server_does_not_take_is_named(
    demo_server: DemoServer, folder: Path, tmp_path: Path
) -> None:
    """Of several captions the one that fails."""
    with FaultProxy(demo_server.url) as proxy, aitk_nb.connect(proxy.url) as client:
        client.datasets.upload(folder, "refusing")
        proxy.answer("POST", "/api/img/caption", 500, {}, b'{"error":"no"}', times=1)
        with pytest.raises(TransferFailed, match="1 of 3 files"):
            client.datasets.set_captions(
                "refusing", {f"photo_0{number}.jpg": "new" for number in range(3)}
            )


def test_progress_of_reading_back_and_of_downloading(
    client: aitk_nb.AIToolkitClient, folder: Path, tmp_path: Path
) -> None:
    """All bytes in the end; a bar is not drawn where nobody watches."""
    name = client.datasets.upload(folder, "counted").name
    seen: list[tuple[int, int]] = []
    client.datasets.verify(
        folder, name, verify="full", progress=lambda *counts: seen.append(counts)
    )
    done, total = seen[-1]
    assert 0 < total == done
    assert sorted(seen) == seen
    client.datasets.download(name, tmp_path, progress=lambda *counts: seen.append(counts))
    assert seen[-1][0] == seen[-1][1] > 0
