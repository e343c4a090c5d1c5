"""`DatasetForm`: which folder of images to upload, and under which name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb._units import plural, size, some
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.errors import BadInput, InvalidDataset
from aitk_nb.views.dataset_form.explorer import Explorer
from aitk_nb.views.dataset_form.folders import (
    SUFFIXES,
    BadName,
    DatasetChoice,
    Reader,
    completions,
    private_folder,
    read_choice,
    store,
    typed_path,
    upload_limit,
)
from aitk_nb.views.forms.field_group import Field, Looks
from aitk_nb.views.forms.form import Form

_PAUSE = 0.6
"""Seconds without a keystroke after which a typed folder is read."""


class DatasetForm(Form[DatasetChoice]):
    """Edits a `DatasetChoice`: a folder of the machine that runs this notebook, and a name.

    Below it are the problems of the folder, its images with their captions, and the sizes that
    the trainer would give them. An edited caption is written next to its image at once. Images
    that can't be used are left out of the value, which names them, unless they are fixed in a
    corrected copy. A few small files can be uploaded from the browser instead; they are kept in a
    folder of their own until the kernel ends.

    Example:
        >>> form = aitk_nb.views.DatasetForm(photos, name="cats")
        >>> form.value
        <DatasetChoice 'cats': 12 images>
    """

    def __init__(
        self,
        folder: str | Path = "",
        *,
        name: str = "",
        requirements: Requirements | None = None,
        limit: Callable[[], int] = upload_limit,
    ) -> None:
        """Start from a folder and a name; nothing is read until the form is shown.

        Args:
            folder: The folder at the start.
            name: The dataset's name at the start; empty for that of the folder.
            requirements: The server's limits, and what is to be trained, such as
                `Requirements.of(params)`.
            limit: Returns how many bytes can be uploaded at once on the page that shows the form.
        """
        self._limit = limit
        self._reader = Reader(requirements)
        self._choice: tuple[object, DatasetChoice] | None = None
        self._explorer: Explorer | None = None
        self._picked: Path | None = None
        self._rejected = ""
        self._is_shown = False
        self._reading: asyncio.Task[None] | None = None
        looks = Looks()
        hint = "path on the machine that runs this notebook"
        self._folder = looks.entry(widgets.Combobox, "Folder", value=str(folder), placeholder=hint)
        self._name = looks.entry(widgets.Text, "Name", value=name)
        # A field, so that running the cell again treats it like the others.
        hidden = widgets.Layout(display="none")
        self._left_out = widgets.TagsInput(layout=hidden, allow_duplicates=False)
        self._left_out.description = "Left out"
        button = widgets.Layout(width="auto")
        self._files = widgets.FileUpload(
            accept=",".join(SUFFIXES), multiple=True, description="Upload files…", layout=button
        )
        self._rescan = widgets.Button(description="Rescan", layout=button)
        self._put_back = widgets.Button(
            description="Put back", layout=widgets.Layout(width="auto", display="none")
        )
        self._found = looks.html()
        self._upload_note = looks.html()
        self._explored = widgets.VBox()
        fields = {
            "folder": Field(self._folder, looks, "Images, each with a .txt caption next to it"),
            "name": Field(self._name, looks, "Name on the server; empty for the folder's"),
            "left_out": Field(self._left_out, looks),
        }
        self._files.observe(self._take_files, names="value")
        self._rescan.on_click(lambda _button: self.rescan())
        self._put_back.on_click(lambda _button: self._leave_out(()))
        wrapped = widgets.Layout(flex_flow="row wrap")
        buttons = widgets.HBox([self._files, self._rescan, self._put_back], layout=wrapped)
        rows = [part for field in fields.values() for part in field.widgets]
        self._build(fields, [*rows, buttons, self._upload_note, self._found, self._explored], looks)

    def rescan(self) -> None:
        """Read the folder again, and forget that uploaded files were rejected."""
        self._rejected = ""
        self._reader.forget()
        self._refresh()

    def close(self) -> None:
        """Remove the form and free its widgets; uploaded files stay with the kernel."""
        if self._reading is not None:
            self._reading.cancel()
        if self._explorer is not None:
            self._explorer.close()
        super().close()

    def _take_over(self, before: DatasetForm) -> None:
        super()._take_over(before)
        self._picked = before._picked

    def _read(self) -> DatasetChoice:
        if self._rejected:
            raise BadInput(self._rejected)
        folder, name = str(self._folder.value), str(self._name.value)
        if not name.strip() and self._picked and folder == str(self._picked):
            raise BadName("Name the dataset: uploaded files have no folder name to use.")
        chosen = self._scan(typed_path(folder))
        if self._choice is None or self._choice[0] != (folder, name, chosen):
            self._choice = (folder, name, chosen), read_choice(folder, name, lambda _path: chosen)
        return self._choice[1]

    def _scan(self, folder: Path) -> LocalDataset:
        return self._reader.read(folder, tuple(self._left_out.value))

    # -- what happens when somebody edits --------------------------------------------------------

    def _on_edit(self, change: Any) -> None:
        self._rejected = ""
        if change["owner"] is not self._folder:
            self._refresh()
            return
        self._folder.options = completions(str(self._folder.value))
        if self._reading is not None:
            self._reading.cancel()
        try:
            # The folders on the way to the one that is typed are not read.
            self._reading = asyncio.get_running_loop().create_task(self._read_soon())
        except RuntimeError:  # no event loop, so nobody types
            self._refresh()

    async def _read_soon(self) -> None:
        await asyncio.sleep(_PAUSE)
        self._found.value = str(html.note("Reading the folder …"))
        # In a thread: many large images take seconds, and must not block the kernel.
        await asyncio.to_thread(self._problems)
        self._refresh()

    def _take_files(self, change: Mapping[str, Any]) -> None:
        """Keep the uploaded files, and remove them from the widget."""
        if not (files := change["new"]):
            return
        self._files.value = ()
        try:
            self._picked = self._picked or private_folder()
            store(files, self._picked, self._limit())
        except (BadInput, OSError) as exc:
            self._rejected = str(exc)
        else:
            self._rejected = ""
            self._reader.forget()
            self._folder.value = str(self._picked)
        self._refresh()

    def _reread(self) -> None:
        """Read captions that were written here; also of a zip, which is edited unpacked."""
        self._reader.look_again()
        self._refresh()

    def _leave_out(self, names: Collection[str]) -> None:
        self._left_out.value = sorted(names)

    def _fix(self) -> None:
        """Make a corrected copy next to the folder, and go on with that."""
        try:
            choice = self._read()
            folder = choice.folder.resolve()
            is_picked = self._picked is not None and choice.folder == self._picked
            copy = private_folder() if is_picked else folder.parent
            report = choice.fix(copy / f"{choice.local.name}_fixed")
        except BadInput as exc:
            self._say(str(exc), "error")
            return
        if is_picked:
            self._picked = report.folder
        self._name.value = self._name.value or choice.name
        self._left_out.value, self._folder.value = [], str(report.folder)
        done = plural(len(report.changes) - len(report.left_out), "change")
        left_out = f"; left out: {some(report.left_out)}" if report.left_out else ""
        self._say(f"Corrected copy in {report.folder.name}: {done}{left_out}.", "ok")

    def _say(self, text: str, kind: html.Kind) -> None:
        if self._explorer is not None:
            self._explorer.say(text, kind)

    # -- how it shows itself -------------------------------------------------------------------

    def _problems(self) -> Mapping[str, str]:
        if not self._rejected and not str(self._folder.value).strip():
            return {}  # nothing was chosen yet: that is no mistake
        try:
            self._read()
        except BadName as exc:
            return {"name": str(exc)}
        except InvalidDataset as exc:
            # Of a folder that could be opened the list names each.
            return {"" if self._local() else "folder": " ".join(exc.problems)}
        except BadInput as exc:
            return {"": str(exc)} if self._rejected else {"folder": str(exc)}
        return {}

    def _show_status(self, _problems: Mapping[str, str], also: Iterable[object] = ()) -> None:
        super()._show_status({}, also)  # each stands beside its field, or in the list

    def _refresh(self) -> None:
        super()._refresh()
        hint = f"At most {size(self._limit())} at once; for more, use Jupyter's file browser."
        rejected = html.status([html.message(self._rejected, "error")])
        self._upload_note.value = str(rejected if self._rejected else html.note(hint))
        chosen = self._local()
        if self._is_shown and self._explorer is None and chosen is not None:
            self._explorer = Explorer(self._reread, self._leave_out, self._fix)
            self._explored.children = (self._explorer.widget,)
        left_out = chosen.left_out if chosen is not None else ()
        if self._explorer is not None:
            self._explorer.show(self._reader.whole, chosen, left_out)
        self._put_back.layout.display = "" if left_out else "none"
        self._put_back.description = f"Put {len(left_out)} back"
        self._found.value = str(html.note(_counts(chosen)) if chosen is not None else "")

    def _local(self) -> LocalDataset | None:
        """Return what is chosen of the folder, whether it can be used or not."""
        try:
            return self._scan(typed_path(str(self._folder.value)))
        except BadInput:
            return None

    def _rows(self) -> Iterable[tuple[object, object]]:
        local = self._local()
        # Only the last part: the whole path is about this machine, and differs on the next.
        typed = str(self._folder.value).strip()
        folder = Path(typed).name or typed
        yield "folder", folder or "none"
        own = local.name if local is not None else folder
        yield "name on the server", str(self._name.value).strip() or own
        if local is not None:
            yield "images", len(local.images)
            yield "captions", len(local.captions)
            yield "problems", local.verdict
            if local.left_out:
                yield "left out", some(local.left_out)

    def __repr__(self) -> str:
        try:
            choice = self._read()
        except BadInput:
            return "<DatasetForm: invalid>"
        return repr(choice).replace("DatasetChoice", "DatasetForm", 1)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        self._is_shown = True
        self._refresh()
        return super()._repr_mimebundle_(**options)


def _counts(local: LocalDataset) -> str:
    left_out = f"; left out: {some(local.left_out)}" if local.left_out else ""
    captions = plural(len(local.captions), "caption")
    return f"{local.name}: {local.media_text}, {captions}, {size(local.total_bytes)}{left_out}"
