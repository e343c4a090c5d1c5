"""`client.datasets` refuses what would lose a file, and sends nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import aitk_nb
from aitk_nb.errors import BadInput, InvalidDataset

if TYPE_CHECKING:
    from pathlib import Path

    from aitk_nb.demo import DemoServer


@pytest.fixture
def client(demo_server: DemoServer) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client of the open embedded server."""
    with aitk_nb.connect(demo_server.url) as connected:
        yield connected


def test_two_names_that_become_one_are_found_before_anything_is_sent(
    client: aitk_nb.AIToolkitClient, photos: Path, tmp_path: Path
) -> None:
    """Also where the folder was scanned without knowing the server's renaming."""
    picture = (photos / "photo_00.jpg").read_bytes()
    for name in ("照.jpg", "图.jpg"):
        (tmp_path / name).write_bytes(picture)
    scanned = aitk_nb.LocalDataset(tmp_path)

    with pytest.raises(InvalidDataset, match=r"照|图"):
        client.datasets.upload(scanned, "colliding")

    assert "colliding" not in client.datasets.list()


def test_the_dataset_has_the_name_that_the_server_gives(
    client: aitk_nb.AIToolkitClient, photos: Path
) -> None:
    """The name of what is returned is the one to train on."""
    info = client.datasets.upload(photos, "My Photos é")

    assert "my_photos_" == info.name
    assert info.name in client.datasets.list()
    assert 12 == len(info.images) == len(info.captions)
    assert 24 == info.sent


def test_a_second_upload_sends_nothing(client: aitk_nb.AIToolkitClient, photos: Path) -> None:
    """Everything is there, byte for byte."""
    client.datasets.upload(photos, "twice")
    again = client.datasets.upload(photos, "twice")

    assert (0, 24) == (again.sent, again.kept)


def test_other_files_of_the_same_names_are_not_overwritten_unasked(
    client: aitk_nb.AIToolkitClient, photos: Path, tmp_path: Path
) -> None:
    """A caption that differs is named; nothing changes until it is asked for."""
    client.datasets.upload(photos, "guarded")
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "photo_03.txt").write_text("another caption", encoding="utf-8")

    with pytest.raises(InvalidDataset, match=r"photo_03\.txt.*if_differs='replace'"):
        client.datasets.upload(tmp_path, "guarded")
    assert "another" not in client.datasets.get("guarded").captions["photo_03.jpg"]

    info = client.datasets.upload(tmp_path, "guarded", if_differs="replace")
    assert 1 == info.sent
    assert "another caption" == info.captions["photo_03.jpg"]


@pytest.mark.parametrize("name", ["../up", "a/../b", "..", " "])
def test_no_name_leaves_the_datasets_folder(
    client: aitk_nb.AIToolkitClient, demo_server: DemoServer, photos: Path, name: str
) -> None:
    """Whatever is given, the server is asked for a plain name or not at all."""
    try:
        made = client.datasets.upload(photos, name).name
    except BadInput:
        return

    assert made.replace("_", "").isalnum() or set(made) == {"_"}
    assert (demo_server.data / "datasets" / made).is_dir()
