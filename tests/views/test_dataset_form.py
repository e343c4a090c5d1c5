"""`DatasetForm`: a folder that can be sent, or the reason why it cannot."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import stat
import weakref
from pathlib import Path
from typing import Any

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.errors import BadInput, InvalidDataset
from aitk_nb.views import DatasetForm
from aitk_nb.views._folders import completions, thumbnails
from aitk_nb.views._picked import private_folder, store, upload_limit
from aitk_nb.views.dataset_form import read_choice
from tests.views.conftest import click, instances, send, stored


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    """A folder of photographs that a test may change."""
    return Path(shutil.copytree(photos, tmp_path / "my photos"))


def picked(name: str, content: bytes) -> dict[str, Any]:
    """Return a picked file as a front-end sends it."""
    return {
        "name": name,
        "type": "",
        "size": len(content),
        "content": memoryview(content),
        "last_modified": 1_700_000_000_000,
    }


def test_untouched_it_is_what_it_was_made_with(folder: Path) -> None:
    """Folder and name, or the folder's name where none is given."""
    for name, expected in (("cats", "cats"), ("", "my photos")):
        form = DatasetForm(folder, name=name)
        choice = form.value
        assert (folder, expected) == (choice.folder, choice.name)
        assert 12 == len(choice.local.images)
        assert read_choice(str(folder), name) == choice
        form.close()


def test_edited_by_messages_it_is_the_same_as_constructed(folder: Path) -> None:
    """A folder and a name that are typed make the choice that was meant."""
    form = DatasetForm()
    send(form._folder, value=f" {folder} ")
    send(form._name, value="cats")
    other = DatasetForm(folder, name="cats")

    assert other.value == form.value
    assert ("folder", "name") == form.edited
    form.close()
    other.close()


def test_the_choice_can_be_uploaded(folder: Path, demo_server: demo.DemoServer) -> None:
    """The next cell is one line."""
    form = DatasetForm(folder, name="from_form")
    choice = form.value
    with aitk_nb.connect(demo_server.url) as client:
        assert 12 == len(client.datasets.upload(choice.folder, choice.name).images)
    form.close()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Choose a folder"),
        ("/no/such/folder", "no such folder"),
        ("~nobody-of-that-name/x", "no such folder|leads nowhere"),
        (__file__, "a file, not a folder"),
        ("x\0y", "cannot be opened"),
    ],
)
def test_a_folder_that_cannot_be_used_raises(text: str, why: str) -> None:
    """The reason stands beside the field, as text and never as HTML."""
    form = DatasetForm(text)
    with pytest.raises(BadInput, match=why):
        _ = form.value
    assert "<DatasetForm not usable>" == form._repr_mimebundle_()["text/plain"]
    assert "✕" in form._fields["folder"].note.value
    form.close()


def test_errors_in_the_folder_are_listed_and_mended(folder: Path) -> None:
    """A broken image makes the value raise until it is gone; nobody has to press anything."""
    bad = folder / "<b>bad.png"
    bad.write_bytes(b"no picture")
    form = DatasetForm(folder)
    with pytest.raises(InvalidDataset, match=r"bad\.png"):
        _ = form.value
    form._repr_mimebundle_()
    shown = form._found.value + form._status.value + form._repr_html_()
    assert "&lt;b&gt;bad.png" in shown
    assert "<b>bad" not in shown

    bad.unlink()
    assert 12 == len(form.value.local.images)
    click(form._again)
    assert "bad.png" not in form._found.value + form._status.value
    form.close()


def test_a_name_that_cannot_be_used_raises(folder: Path) -> None:
    """The reason stands beside the name and not beside the folder."""
    form = DatasetForm(folder)
    send(form._name, value="../up")
    with pytest.raises(BadInput, match="cannot be the name of a dataset"):
        _ = form.value
    assert "✕" in form._fields["name"].note.value
    assert "✕" not in form._fields["folder"].note.value
    form.close()


def test_nothing_is_read_before_it_is_shown(folder: Path) -> None:
    """Making a form looks at no file; showing it shows counts and at most twelve pictures."""
    form = DatasetForm(folder)
    assert form._scanned is None
    form._repr_mimebundle_()
    assert 12 == form._found.value.count("data:image/jpeg;base64,")
    assert "a photograph of an officer, part 1" in form._found.value
    assert len(form._found.value) < 120_000
    form.close()


def test_thumbnails_of_odd_pictures(tmp_path: Path) -> None:
    """Transparent, grey and palette pictures are shown; broken ones are left out."""
    from PIL import Image

    for mode in ("RGBA", "L", "P", "LA", "1"):
        Image.new(mode, (300, 20)).save(tmp_path / f"{mode}.png")
    (tmp_path / "broken.png").write_bytes(b"")
    (tmp_path / "RGBA.txt").write_text("<script>", encoding="utf-8")
    found = thumbnails(aitk_nb.LocalDataset.scan(tmp_path))
    assert 5 == len(found)
    assert "<script>" in [caption for _, caption in found]
    form = DatasetForm(tmp_path)
    form._repr_mimebundle_()
    assert "<script>" not in form._found.value
    form.close()


def test_folders_are_completed_as_they_are_typed(tmp_path: Path) -> None:
    """Subfolders of what is typed so far, not files, not hidden ones unless asked for."""
    for name in ("cats", "cars", "dogs", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "cat.txt").touch()
    form = DatasetForm()
    send(form._folder, value=f"{tmp_path}{os.sep}ca")
    assert (str(tmp_path / "cars"), str(tmp_path / "cats")) == form._folder.options
    assert 3 == len(completions(f"{tmp_path}{os.sep}"))
    assert (str(tmp_path / ".hidden"),) == completions(f"{tmp_path}{os.sep}.")
    for odd in ("", "\0", "/no/such/", "~nobody-of-that-name/"):
        assert all(isinstance(one, str) for one in completions(odd))
    form.close()


def test_a_folder_on_the_way_is_not_looked_into(folder: Path) -> None:
    """With an event loop the form waits for a pause, and then looks once."""

    async def type_slowly() -> None:
        form = DatasetForm()
        for end in range(len(str(folder)) - 3, len(str(folder)) + 1):
            send(form._folder, value=str(folder)[:end])
        assert form._scanned is None
        assert form._looking is not None
        await form._looking
        assert form._scanned is not None
        assert folder == form._scanned[0]
        assert "12" in form._found.value
        form.close()

    asyncio.run(type_slowly())


# -- picked files ----------------------------------------------------------------------------


def test_picked_files_become_a_private_folder(folder: Path) -> None:
    """They are taken out of the widget, and need a name."""
    form = DatasetForm(limit=lambda: 10_000_000)
    image = (folder / "photo_00.jpg").read_bytes()
    send(form._files, value=[picked("../../a b.jpg", image), picked("a b.txt", b"an officer")])

    assert () == form._files.value
    with pytest.raises(BadInput, match="Name the dataset"):
        _ = form.value
    send(form._name, value="picked")
    choice = form.value
    assert {"a b.jpg": "an officer"} == dict(choice.local.captions)
    assert 0o700 == stat.S_IMODE(choice.folder.stat().st_mode)
    send(form._files, value=[picked("second.jpg", image)])
    assert 2 == len(form.value.local.images)
    assert choice.folder == form.value.folder
    form.close()
    assert (choice.folder / "a b.jpg").is_file()


def test_too_much_is_refused_and_said(folder: Path) -> None:
    """The limit stands in the form; what was refused makes the value raise until edited."""
    form = DatasetForm(folder, limit=lambda: 1_000_000)
    form._repr_mimebundle_()
    assert "At most 1 MB" in form._upload_note.value
    send(form._files, value=[picked("a.jpg", b"x" * 600_000), picked("b.jpg", b"x" * 600_000)])

    with pytest.raises(BadInput, match=r"1\.2 MB together, and at most 1 MB"):
        _ = form.value
    assert "1.2 MB" in form._status.value
    assert () == form._files.value
    click(form._again)
    assert folder == form.value.folder
    form.close()


@pytest.mark.parametrize(
    ("names", "why"),
    [(["a.exe"], "no image"), (["a:.jpg", "a_.jpg"], "Two of the files")],
)
def test_files_that_cannot_be_kept_are_refused_whole(
    names: list[str], why: str, tmp_path: Path
) -> None:
    """All or none are written."""
    with pytest.raises(BadInput, match=why):
        store([picked(name, b"x") for name in ["ok.jpg", *names]], tmp_path, 100)
    assert [] == list(tmp_path.iterdir())


def test_the_limit_is_asked_for_late() -> None:
    """Ten megabytes in Jupyter, one where the page is Colab's."""
    assert 10_000_000 == upload_limit({})
    assert 1_000_000 == upload_limit({"COLAB_RELEASE_TAG": "release"})
    private_folder().rmdir()


# -- what stays ------------------------------------------------------------------------------


def test_an_executed_notebook_shows_the_folder_and_holds_no_path(
    execute: Any, folder: Path
) -> None:
    """The static table repeats on another machine: it has the folder's last part only."""
    book = execute(
        f"from aitk_nb.views import DatasetForm\nform = DatasetForm({str(folder)!r}, name='cats')\n"
        "form",
        "form.value",
        store_widget_state=False,
    )
    first, second = (cell.outputs[0]["data"] for cell in book.cells)
    assert "<DatasetForm 'cats': 12 images>" == first["text/plain"]
    assert "my photos" in first["text/html"]
    assert "<DatasetChoice 'cats': 12 images>" == second["text/plain"]
    book.cells[0].source = ""
    assert str(folder.parent) not in stored(book)


def test_two_hundred_forms_leak_nothing(folder: Path) -> None:
    """Closed forms leave no widget, layout or style, and are forgotten."""
    before = instances()
    forms = [DatasetForm(folder) for _ in range(200)]
    kept = [weakref.ref(form) for form in forms]
    for form in forms:
        form.close()
    assert before == instances()
    del form, forms
    gc.collect()
    assert not [ref for ref in kept if ref() is not None]
