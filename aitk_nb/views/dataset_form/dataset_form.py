"""`DatasetForm`: which folder of images to upload, and under which name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb._units import size
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.errors import BadInput, InvalidDataset
from aitk_nb.models.names import name_problem
from aitk_nb.views.dataset_form.explorer import Explorer
from aitk_nb.views.dataset_form.folders import (
    SUFFIXES,
    Stamp,
    completions,
    private_folder,
    stamp,
    store,
    upload_limit,
)
from aitk_nb.views.forms.field import Field, Looks
from aitk_nb.views.forms.form import Form

_PAUSE = 0.6
"""Seconds without a keystroke after which a typed folder is read."""


@dataclass(frozen=True, slots=True)
class DatasetChoice:
    """A folder without errors and a name, from `DatasetForm`.

    Example:
        >>> choice = aitk_nb.views.DatasetForm(photos, name="chosen").value
        >>> client.datasets.upload(choice.local, choice.name).name
        'chosen'
    """

    folder: Path
    """Where the images and captions are: a folder or a `.zip`."""
    name: str
    """Name of the dataset on the server."""
    local: LocalDataset
    """What is in the folder."""

    def __repr__(self) -> str:
        return f"<DatasetChoice {self.name!r}: {self.local.media_text}>"


def read_choice(
    folder: str, name: str, read: Callable[[Path], LocalDataset] = LocalDataset
) -> DatasetChoice:
    """Return the choice for what was typed; without a name that of the folder is used.

    Raises:
        InvalidDataset: The folder has errors.
        BadInput: No folder is given, or the name is invalid.
    """
    path = _path(folder)
    local = read(path).raise_for_errors()
    name = name.strip() or local.name or path.resolve().name
    if why := name_problem(name):
        raise _BadName(f"Invalid dataset name {name!r}: {why}.")
    return DatasetChoice(path, name, local)


def _path(folder: str) -> Path:
    if not folder.strip():
        raise BadInput("Choose a folder of images, each with a .txt caption of the same name.")
    try:
        return Path(folder.strip()).expanduser()
    except RuntimeError as exc:  # "~somebody" who has no account on this machine
        raise BadInput(f"Invalid path {folder.strip()!r}: {exc}") from exc


class _BadName(BadInput):
    """The name is invalid, not the folder."""


class DatasetForm(Form[DatasetChoice]):
    """Edits a `DatasetChoice`: a folder of the machine that runs this notebook, and a name.

    Below it are the problems of the folder, its images with their captions, and the sizes that
    the trainer would give them. An edited caption is written next to its image at once. A few
    small files can be picked in the browser instead; they are kept in a folder of their own
    until the kernel ends.

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
            limit: Returns how many bytes can be picked at once on the page that shows the form.
        """
        self._limit = limit
        self._scanned: tuple[Path, Stamp | None, LocalDataset] | None = None
        self._requirements = requirements
        self._explorer: Explorer | None = None
        self._picked: Path | None = None
        self._rejected = ""
        self._is_shown = False
        self._reading: asyncio.Task[None] | None = None
        looks = Looks()
        hint = "path on the machine that runs this notebook"
        self._folder = looks.entry(widgets.Combobox, "Folder", value=str(folder), placeholder=hint)
        self._name = looks.entry(widgets.Text, "Name", value=name)
        self._files = widgets.FileUpload(
            accept=",".join(SUFFIXES),
            multiple=True,
            description="Pick small files",
            layout=widgets.Layout(**looks.indented),
        )
        self._again = looks.button("Read again")
        self._found = looks.html(indented=False)
        self._upload_note = looks.html()
        self._explored = widgets.VBox()
        fields = {
            "folder": Field(self._folder, looks, "Images, each with a .txt caption next to it"),
            "name": Field(self._name, looks, "Name on the server; empty for the folder's"),
        }
        self._files.observe(self._take_files, names="value")
        self._again.on_click(lambda _button: self.read_again())
        rows = [part for field in fields.values() for part in field.widgets]
        body = [*rows, self._files, self._upload_note, self._again, self._found, self._explored]
        self._build(fields, body, looks)

    def read_again(self) -> None:
        """Read the folder again, and forget that picked files were rejected."""
        self._scanned, self._rejected = None, ""
        self._refresh()

    def close(self) -> None:
        """Remove the form from the page and free its widgets; picked files stay with the kernel."""
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
            raise _BadName("Name the dataset: picked files have no folder name to use.")
        return read_choice(folder, name, self._scan)

    def _scan(self, folder: Path) -> LocalDataset:
        """Return what is in the folder; reads it again only if something there has changed."""
        now = stamp(folder)
        if self._scanned is None or self._scanned[0] != folder:
            self._scanned = (folder, now, LocalDataset(folder).check(self._requirements))
        elif self._scanned[1] != now:
            # An edited caption must not cost decoding every image.
            self._scanned = (folder, now, self._scanned[2].rescan())
        return self._scanned[2]

    def _reread(self) -> None:
        """Read captions that were written here."""
        if self._scanned is not None:
            # Also if the folder's own files have not changed: a zip is edited unpacked.
            self._scanned = (self._scanned[0], None, self._scanned[2])
        self._refresh()

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
        self._found.value = str(_html.note("Reading the folder …"))
        # In a thread: many large images take seconds, and must not block the kernel.
        await asyncio.to_thread(self._problems)
        self._refresh()

    def _take_files(self, change: Mapping[str, Any]) -> None:
        """Keep the picked files, and remove them from the widget."""
        if not (files := change["new"]):
            return
        self._files.value = ()
        try:
            self._picked = self._picked or private_folder()
            store(files, self._picked, self._limit())
        except (BadInput, OSError) as exc:
            self._rejected = str(exc)
        else:
            self._rejected, self._scanned = "", None
            self._folder.value = str(self._picked)
        self._refresh()

    # -- how it shows itself -------------------------------------------------------------------

    def _problems(self) -> Mapping[str, str]:
        try:
            self._read()
        except _BadName as exc:
            return {"name": str(exc)}
        except InvalidDataset as exc:
            # The table below the form names each; a folder that can't be opened has no table.
            return {"folder": " ".join(exc.problems)}
        except BadInput as exc:
            return {"": str(exc)} if self._rejected else {"folder": str(exc)}
        return {}

    def _refresh(self) -> None:
        super()._refresh()
        hint = (
            f"At most {size(self._limit())} at once: more can't pass from the browser to the "
            "kernel. Upload larger files with Jupyter's own file browser, and enter their folder."
        )
        self._upload_note.value = str(_html.note(hint))
        local = self._local()
        if self._is_shown and self._explorer is None and local is not None:
            self._explorer = Explorer(self._reread)
            self._explored.children = (self._explorer.widget,)
        if self._explorer is not None:
            self._explorer.show(local)
        self._found.value = str(local.summary() if local is not None else "")

    def _local(self) -> LocalDataset | None:
        try:
            return self._scan(_path(str(self._folder.value)))
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

    def __repr__(self) -> str:
        if self._problems():
            return "<DatasetForm: invalid>"
        choice = self._read()
        return f"<DatasetForm {choice.name!r}: {choice.local.media_text}>"

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        self._is_shown = True
        self._refresh()
        return super()._repr_mimebundle_(**options)
