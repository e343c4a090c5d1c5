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
from PIL import Image

import aitk_nb
from aitk_nb import demo
from aitk_nb._display.images import thumbnail
from aitk_nb.datasets.local.problems import Code
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.errors import BadInput, InvalidDataset
from aitk_nb.views import DatasetForm
from aitk_nb.views.dataset_form.explorer import Explorer
from aitk_nb.views.dataset_form.folders import (
    completions,
    private_folder,
    read_choice,
    store,
    upload_limit,
)
from tests.datasets.pictures import picture
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
        typed = read_choice(str(folder), name)
        assert (typed.folder, typed.name) == (choice.folder, choice.name)
        form.close()


def test_edited_by_messages_it_is_the_same_as_constructed(folder: Path) -> None:
    """A folder and a name that are typed make the choice that was meant."""
    form = DatasetForm()
    send(form._folder, value=f" {folder} ")
    send(form._name, value="cats")
    other = DatasetForm(folder, name="cats")

    assert (other.value.folder, other.value.name) == (form.value.folder, form.value.name)
    assert other.value.local.contents == form.value.local.contents
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
        ("/no/such/folder", "No such file or directory"),
        ("~nobody-of-that-name/x", "No such file|Invalid path"),
        (__file__, "Not a directory"),
        ("x\0y", "can't be opened"),
    ],
)
def test_a_folder_that_cannot_be_used_raises(text: str, why: str) -> None:
    """The reason stands beside the field, as text and never as HTML."""
    form = DatasetForm(text)
    with pytest.raises(BadInput, match=why):
        _ = form.value
    assert "<DatasetForm: invalid>" == form._repr_mimebundle_()["text/plain"]
    assert "✕" in form._fields["folder"].note.value
    form.close()


def test_nothing_is_red_before_a_folder_is_given() -> None:
    """An empty form says what to do; only its value is an error."""
    form = DatasetForm()
    assert "<DatasetForm: invalid>" == form._repr_mimebundle_()["text/plain"]
    shown = form._repr_html_() + form._status.value + form._fields["folder"].note.value
    assert "✕" not in shown + form._upload_note.value
    with pytest.raises(BadInput, match="Choose a folder"):
        _ = form.value
    form.close()


@pytest.fixture
def damaged(folder: Path) -> Path:
    """A folder with a truncated image, a caption that is not UTF-8, and an image without one."""
    (folder / "photo_03.jpg").write_bytes((folder / "photo_03.jpg").read_bytes()[:2000])
    (folder / "photo_05.txt").write_bytes("ein Kätzchen".encode("latin-1"))
    (folder / "photo_07.txt").unlink()
    return folder


def test_what_cannot_be_used_is_left_out_and_named(
    damaged: Path, tmp_path: Path, demo_server: demo.DemoServer
) -> None:
    """The value is the usable part; its copy is made of all, and nothing on the disk changes."""
    before = {path.name: path.read_bytes() for path in damaged.iterdir()}
    form = DatasetForm(damaged, name="some")
    choice = form.value
    form.close()
    assert "<DatasetChoice 'some': 10 images, left out: photo_03.jpg, photo_05.jpg>" == repr(choice)
    assert ("photo_03.jpg", "photo_05.jpg") == choice.left_out
    assert () == choice.local.errors
    said = [problem for problem in choice.local.problems if problem.code is Code.LEFT_OUT]
    assert {"photo_03.jpg", "photo_05.jpg"} == {problem.file for problem in said}
    assert "'photo_05.txt' is not encoded in UTF-8" in " ".join(map(str, said))
    assert "photo_03.jpg, photo_05.jpg" in choice.local._repr_html_()
    with aitk_nb.connect(demo_server.url) as client:
        there = client.datasets.upload(choice.local, choice.name)
    assert 10 == len(there.images)
    assert 2 == sum("is left out" in remark for remark in there.remarks)

    fixed = choice.fix(tmp_path / "fixed")
    assert ("photo_03.jpg",) == fixed.left_out
    assert "ein Kätzchen" == fixed.dataset.captions["photo_05.jpg"]
    assert before == {name: (damaged / name).read_bytes() for name in before}


def test_leave_out_and_put_back(damaged: Path) -> None:
    """All that errors are about by one button, others by their cards; both are undone."""
    form = DatasetForm(damaged)
    below = explored(form)
    assert "2 images can&#x27;t be used" in below.problems._verdict.value
    assert ["Fix 2 files", "Leave out 2"] == [
        button.description for button in (below.problems.fix, below.problems.leave_out)
    ]
    click(below.problems.leave_out)
    assert "" == below.problems._verdict.value
    assert "none" == below.problems.leave_out.layout.display
    assert ("photo_03.jpg", "photo_05.jpg") == form.value.left_out
    assert ("left_out",) == form.edited
    card = below.cards.cards[0]
    click(card.leave_out)
    assert ("Put back", 9) == (card.leave_out.description, len(form.value.local.images))
    assert "photo_00.jpg" in form._found.value
    # What is left out is not changed with the others either.
    send(below.bulk.fields["prefix"], value="old, ")
    assert "Change 8 captions" == below.bulk.apply.description
    click(card.leave_out)
    assert ("Leave out", 10) == (card.leave_out.description, len(form.value.local.images))
    click(form._put_back)
    assert "none" == form._put_back.layout.display
    assert "2 images can&#x27;t be used" in below.problems._verdict.value
    form.close()


def test_fix_goes_on_with_a_corrected_copy(damaged: Path) -> None:
    """It lies next to the folder, which stays as it is; the name on the server stays too."""
    form = DatasetForm(damaged)
    below = explored(form)
    click(below.problems.fix)
    assert damaged.parent / "my photos_fixed" == form.value.folder
    assert ("my photos", 11, ()) == (
        form.value.name,
        len(form.value.local.images),
        form.value.left_out,
    )
    assert "left out: photo_03.jpg" in below._said.value
    send(form._folder, value=str(damaged))
    (damaged.parent / "my photos_fixed" / "photo_00.txt").write_text("changed since")
    click(below.problems.fix)
    assert "Choose another output folder" in below._said.value
    form.close()


def test_only_problems_are_shown(damaged: Path) -> None:
    """Those with errors first; one that is mended stays until the filter is set again."""
    form = DatasetForm(damaged)
    cards = explored(form).cards

    def names() -> set[str]:
        return {card.text.description for card in cards.cards[: len(cards._grid.children)]}

    assert "Only problems (3)" == cards.only_problems.description
    click(form._explorer.problems.look)  # type: ignore[union-attr]
    assert {"photo_03.jpg", "photo_05.jpg", "photo_07.jpg"} == names()
    assert "photo_07.jpg" == cards.cards[2].text.description
    send(cards.cards[2].text, value="from nothing")
    assert "Only problems (2)" == cards.only_problems.description
    assert "photo_07.jpg" in names()
    send(cards.only_problems, value=False)
    assert 12 == len(names())
    form.close()


def test_a_picture_is_enlarged_and_shrunk(folder: Path) -> None:
    """A click on it, with a sharper picture; one at a time."""
    picture(folder / "a.jpg", (1000, 800))
    form = DatasetForm(folder)
    cards = explored(form).cards.cards
    small = len(cards[0]._picture.value)
    click(cards[0].enlarge)
    assert len(cards[0]._picture.value) > 2 * small
    assert "1 / -1" == cards[0].box.layout.grid_column
    assert "Shrink a.jpg" == cards[0].enlarge.description
    click(cards[4].enlarge)
    assert ["auto", "1 / -1"] == [cards[at].box.layout.grid_column for at in (0, 4)]
    click(cards[4].enlarge)
    assert "auto" == cards[4].box.layout.grid_column
    form.close()


def test_a_folder_of_which_nothing_can_be_used_raises(tmp_path: Path) -> None:
    """The list names each error, and no other place repeats them."""
    bad = tmp_path / "<b>bad.png"
    bad.write_bytes(b"no picture")
    form = DatasetForm(tmp_path)
    with pytest.raises(InvalidDataset, match=r"bad\.png"):
        _ = form.value
    below = explored(form)
    assert "✕" not in form._fields["folder"].note.value + form._status.value
    assert ["✗ '<b>bad.png' is not an image"] == [
        label[:30] for label, _ in below.problems.choice.options
    ]
    shown = form._found.value + form._repr_html_() + below.cards.cards[0]._picture.value
    assert "&lt;b&gt;bad.png" in shown
    assert "<b>bad" not in shown

    picture(tmp_path / "good.png")
    assert ("<b>bad.png",) == form.value.left_out
    bad.unlink()
    assert () == form.value.left_out
    form.close()


def test_a_name_that_cannot_be_used_raises(folder: Path) -> None:
    """The reason stands beside the name and not beside the folder."""
    form = DatasetForm(folder)
    send(form._name, value="../up")
    with pytest.raises(BadInput, match="Invalid dataset name"):
        _ = form.value
    assert "✕" in form._fields["name"].note.value
    assert "✕" not in form._fields["folder"].note.value
    form.close()


def test_nothing_is_read_before_it_is_shown(folder: Path) -> None:
    """Making a form looks at no file and has few widgets; showing it shows counts and pictures."""
    form = DatasetForm(folder)
    assert form._reader.whole is None
    assert form._explored.children == ()
    form._repr_mimebundle_()
    assert "12" in form._found.value
    assert form._explorer is not None
    cards = form._explorer.cards
    assert 12 == sum("data:image/jpeg;base64," in one._picture.value for one in cards.cards)
    assert "a photograph of an officer, part 1" == cards.cards[0].text.value
    form.close()


def test_thumbnails_of_odd_pictures(tmp_path: Path) -> None:
    """Transparent, gray and palette pictures are shown; broken ones are left out."""
    for mode in ("RGBA", "L", "P", "LA", "1"):
        Image.new(mode, (300, 20)).save(tmp_path / f"{mode}.png")
        assert thumbnail(tmp_path / f"{mode}.png").startswith(b"\xff\xd8")
    (tmp_path / "broken.png").write_bytes(b"")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    for name in ("broken", "bomb", "gone"):
        assert thumbnail(tmp_path / f"{name}.png") == b""


def explored(form: DatasetForm) -> Explorer:
    """Show a form, and return what it has below its fields."""
    form._repr_mimebundle_()
    assert form._explorer is not None
    return form._explorer


def test_a_caption_is_edited_in_its_card(folder: Path) -> None:
    """What a front-end sends is written beside the image, whole, and the form knows it."""
    form = DatasetForm(folder)
    cards = explored(form).cards
    send(cards.cards[2].text, value="  a <b>new</b> caption\n")
    assert "a <b>new</b> caption\n" == (folder / "photo_02.txt").read_text(encoding="utf-8")
    assert "a <b>new</b> caption" == form.value.local.captions["photo_02.jpg"]
    assert "photo_02.jpg saved" in form._explorer._said.value
    (folder / "photo_05.txt").unlink()
    click(form._rescan)
    send(cards.cards[5].text, value="from nothing")
    assert "from nothing" == form.value.local.captions["photo_05.jpg"]
    assert not [path for path in folder.iterdir() if path.name.startswith(".writing")]
    form.close()


def test_an_edited_caption_decodes_no_picture_again(
    folder: Path,
) -> None:
    """Only what has changed is looked at: with thousands of images it would take long."""
    form = DatasetForm(folder)
    cards = explored(form).cards
    before = dict(form.value.local.image_info)
    send(cards.cards[0].text, value="new")
    after = form.value.local.image_info
    assert all(after[path] is before[path] for path in before)
    Image.new("RGB", (50, 50), "red").save(folder / "photo_00.jpg")
    changed = form.value.local.image_info
    assert [path.name for path in before if changed.get(path) is not before[path]] == [
        "photo_00.jpg"
    ]
    form.close()


def test_a_caption_that_is_no_utf8_is_shown_and_written_anew(folder: Path) -> None:
    """It is not lost by the edit of another one."""
    (folder / "photo_01.txt").write_bytes("ein Kätzchen".encode("latin-1"))
    form = DatasetForm(folder)
    cards = explored(form).cards
    assert "ein Kätzchen" == cards.cards[1].text.value
    send(cards.cards[0].text, value="other")
    assert (folder / "photo_01.txt").read_bytes() == "ein Kätzchen".encode("latin-1")
    send(cards.cards[1].text, value="ein kleines Kätzchen")
    assert "ein kleines Kätzchen" == form.value.local.captions["photo_01.jpg"]
    form.close()


def test_all_captions_are_changed_and_changed_back(folder: Path) -> None:
    """Replace, prefix, suffix and trigger word; what it does is shown before."""
    (folder / "photo_11.txt").unlink()
    (folder / "photo_10.txt").write_text("[trigger] smiles")
    before = {path.name: path.read_bytes() for path in folder.glob("*.txt")}
    form = DatasetForm(folder)
    bulk = explored(form).bulk
    assert bulk.apply.disabled
    send(bulk.fields["find"], value="an officer")
    send(bulk.fields["replace"], value="a <sailor>")
    send(bulk.fields["suffix"], value=", studio light")
    send(bulk.fields["trigger"], value="sks")
    assert "Change 11 captions" == bulk.apply.description
    send(bulk.uncaptioned, value=True)
    assert "Change 12 captions" == bulk.apply.description
    assert "a &lt;sailor&gt;, part 1, studio light" in bulk._preview.value
    click(bulk.apply)
    captions = form.value.local.captions
    assert "sks, a photograph of a <sailor>, part 1, studio light" == captions["photo_00.jpg"]
    assert "[trigger] smiles, studio light" == captions["photo_10.jpg"]
    assert "sks, studio light" == captions["photo_11.jpg"]
    assert "" == bulk.fields["find"].value
    click(bulk.undo)
    now = {path.name: path.read_text().strip() for path in folder.glob("*.txt")}
    assert {name: raw.decode().strip() for name, raw in before.items()} == now
    assert bulk.undo.disabled
    send(bulk.fields["replace"], value="x")
    assert "Enter the text" in bulk._preview.value
    form.close()


def test_a_problem_leads_to_its_image(folder: Path) -> None:
    """Choosing it turns to the page, marks the image and says what to do."""
    for number in range(20):
        shutil.copy(folder / "photo_00.jpg", folder / f"z{number:02}.jpg")
    (folder / "z17.jpg").write_bytes(b"<html>")
    form = DatasetForm(folder)
    below = explored(form)
    labels = [label for label, _ in below.problems.choice.options]
    assert labels[0].startswith("✗ 'z17.jpg' is not an image")
    assert [] == marked(below)
    below.tabs.selected_index = 1
    send(below.problems.choice, index=0)
    assert 0 == below.tabs.selected_index
    assert 3 == below.cards.page.value
    assert ["z17.jpg"] == [card.text.description for card in marked(below)]
    assert "export it again" in below.problems._remedy.value
    form.close()


def test_an_edit_that_comes_after_the_page_was_turned_is_saved(folder: Path) -> None:
    """To its own image: a front-end's messages may be handled in another order."""
    shutil.copy(folder / "photo_00.jpg", folder / "z.jpg")
    form = DatasetForm(folder)
    cards = explored(form).cards
    field = cards.cards[0].text
    click(cards.next)
    assert "z.jpg" == cards.cards[0].text.description
    send(field, value="late")
    assert "late\n" == (folder / "photo_00.txt").read_text(encoding="utf-8")
    assert not (folder / "z.txt").exists()
    click(cards.previous)
    assert "late" == cards.cards[0].text.value
    form.close()


def marked(below: Explorer) -> list[Any]:
    """Return the cards that are marked."""
    return [card for card in below.cards.cards if "brand" in (card.box.layout.border_left or "")]


def test_pages_of_a_thousand_images(folder: Path) -> None:
    """Twelve at a time, whose pictures are all that there is; the last page is shorter."""
    for number in range(1000 - 12):
        (folder / f"x{number:03}.jpg").symlink_to(folder / "photo_00.jpg")
    form = DatasetForm(folder)
    below = explored(form)
    cards = below.cards
    assert 84 == cards.pages
    assert cards.previous.disabled
    click(cards.next)
    assert 2 == cards.page.value
    send(cards.page, value=84)
    assert 4 == len(cards._grid.children)
    assert cards.next.disabled
    assert "x987.jpg" == cards.cards[3].text.description
    click(cards.previous)
    assert 83 == cards.page.value
    state = sum(len(repr(widget.get_state())) for widget in parts(form.widget))
    assert state < 250_000
    assert 200 == len(below.problems.choice.options)
    form.close()


def parts(widget: Any) -> list[Any]:
    """Return a widget and all in it."""
    return [widget, *(one for child in getattr(widget, "children", ()) for one in parts(child))]


def test_buckets_are_shown_when_they_are_looked_at(folder: Path) -> None:
    """A closed preview computes nothing; resolutions can be tried."""
    form = DatasetForm(folder, requirements=Requirements(resolution=(256,), arch="flux"))
    below = explored(form)
    preview = below.buckets
    assert "256" == preview.resolution.value
    assert preview._table.value == ""
    below.tabs.selected_index = 2
    assert "256 × 256" in preview._table.value
    assert "multiples of 32 pixels, as for flux" in preview._table.value
    send(preview.resolution, value="512, 128")
    assert "128 × 128" in preview._table.value
    send(preview.resolution, value="many")
    assert "Invalid resolutions" in preview._table.value
    below.tabs.selected_index = 0
    assert preview._table.value == ""
    form.close()


def test_a_zip_can_be_chosen_and_edited(folder: Path, tmp_path: Path) -> None:
    """Its name is the dataset's; edits are made in what was unpacked."""
    packed = shutil.make_archive(str(tmp_path / "officers"), "zip", folder)
    form = DatasetForm(packed)
    below = explored(form)
    assert ("officers", 12) == (form.value.name, len(form.value.local.images))
    send(below.cards.cards[0].text, value="edited")
    assert "edited" == form.value.local.captions["photo_00.jpg"]
    assert (packed,) == completions(str(tmp_path / "off"))
    form.close()


def test_what_a_training_asks_is_checked(folder: Path) -> None:
    """The requirements that a form is made with decide what can be used."""
    form = DatasetForm(folder, requirements=Requirements(arch="flux_kontext"))
    with pytest.raises(InvalidDataset, match="trains on pairs"):
        _ = form.value
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
        assert form._reader.whole is None
        assert form._reading is not None
        await form._reading
        assert form._reader.whole is not None
        assert folder == form._reader.whole.folder
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
    assert "At most 1.0 MB" in form._upload_note.value
    send(form._files, value=[picked("a.jpg", b"x" * 600_000), picked("b.jpg", b"x" * 600_000)])

    with pytest.raises(BadInput, match=r"1\.2 MB in total; at most 1\.0 MB"):
        _ = form.value
    assert "1.2 MB" in form._upload_note.value
    assert "✕" not in form._status.value
    assert () == form._files.value
    click(form._rescan)
    assert folder == form.value.folder
    form.close()


@pytest.mark.parametrize(
    ("names", "why"),
    [(["a.exe"], "not an image"), (["a:.jpg", "a_.jpg"], "Two of the files")],
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


@pytest.mark.slow
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
