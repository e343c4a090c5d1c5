"""`DatasetForm`: which folder of images to send, and under which name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.datasets.local import Demands, LocalDataset
from aitk_nb.errors import BadInput, InvalidDataset
from aitk_nb.models.names import name_problem
from aitk_nb.views.dataset_form.explorer import Explorer
from aitk_nb.views.dataset_form.folder_paths import Stamp, completions, stamp
from aitk_nb.views.dataset_form.picked_files import (
    SUFFIXES,
    megabytes,
    private_folder,
    store,
    upload_limit,
)
from aitk_nb.views.forms.form import Field, Form, Looks

__all__ = ["DatasetChoice", "DatasetForm", "read_choice"]

_PAUSE = 0.6
"""Seconds without a key after which a typed folder is looked into."""


@dataclass(frozen=True, slots=True)
class DatasetChoice:
    """A folder without errors and a name: `client.datasets.upload(choice.local, choice.name)`."""

    folder: Path
    """Where the images and captions are: a folder or a `.zip`."""
    name: str
    """What the dataset is to be called on the server."""
    local: LocalDataset
    """What was found in the folder."""

    def __repr__(self) -> str:
        return f"<DatasetChoice {self.name!r}: {len(self.local.images)} images>"


def read_choice(
    folder: str, name: str, scan: Callable[[Path], LocalDataset] = LocalDataset.scan
) -> DatasetChoice:
    """Return the choice that is meant by what was typed; without a name the folder's is taken.

    Raises:
        InvalidDataset: the folder has errors.
        BadInput: no folder was named, or the name cannot be used.
    """
    path = _path(folder)
    local = scan(path).check()
    name = name.strip() or local.name or path.resolve().name
    if why := name_problem(name):
        raise _BadName(f"{name!r} cannot be the name of a dataset: {why}.")
    return DatasetChoice(path, name, local)


def _path(folder: str) -> Path:
    if not folder.strip():
        raise BadInput("Choose a folder of images, each with a .txt caption of the same name.")
    try:
        return Path(folder.strip()).expanduser()
    except RuntimeError as exc:  # "~somebody" whom this machine does not know
        raise BadInput(f"{folder.strip()!r} leads nowhere: {exc}.") from exc


class _BadName(BadInput):
    """The name is what is wrong, and not the folder."""


class DatasetForm(Form[DatasetChoice]):
    """Edits a `DatasetChoice`: a folder of the machine that runs this notebook, and a name.

    Below it are what is wrong in the folder, its images with their captions, and the sizes that
    the trainer would give them. A caption that is edited is written beside its image at once. A
    few small files can be picked in the browser instead; they are kept in a folder of their own
    until the kernel ends.
    """

    def __init__(
        self,
        folder: str | Path = "",
        *,
        name: str = "",
        demands: Demands | None = None,
        limit: Callable[[], int] = upload_limit,
    ) -> None:
        """Start from a folder and a name; nothing is read until the form is shown or asked.

        `demands` are the server's limits, and what is to be trained, as `Demands.of(params)`.
        `limit` tells how many bytes can be picked at once on the page that shows the form.
        """
        self._limit = limit
        self._scanned: tuple[Path, Stamp, LocalDataset] | None = None
        self._demands = demands or Demands()
        self._explorer: Explorer | None = None
        self._picked: Path | None = None
        self._refused = ""
        self._is_shown = False
        self._looking: asyncio.Task[None] | None = None
        looks = Looks()
        self._folder = widgets.Combobox(
            value=str(folder),
            description="Folder",
            placeholder="path on the machine that runs this notebook",
            style=looks.text,
            layout=looks.control,
        )
        self._name = widgets.Text(name, description="Name", style=looks.text, layout=looks.control)
        self._files = widgets.FileUpload(
            accept=",".join(SUFFIXES),
            multiple=True,
            description="Pick small files",
            layout=widgets.Layout(**looks.indented),
        )
        self._again = widgets.Button(
            description="Look again", layout=widgets.Layout(**looks.indented)
        )
        self._found = looks.html(indented=False)
        self._upload_note = looks.html()
        self._explored = widgets.VBox()
        fields = {
            "folder": Field(self._folder, looks, "Images, each with a .txt caption beside it"),
            "name": Field(self._name, looks, "Name on the server; empty means the folder's"),
        }
        self._files.observe(self._take_files, names="value")
        self._again.on_click(lambda _button: self.look_again())
        rows = [part for field in fields.values() for part in field.widgets]
        body = [*rows, self._files, self._upload_note, self._again, self._found]
        body.append(self._explored)
        self._build(fields, body, looks)

    def look_again(self) -> None:
        """Look into the folder anew, and forget that picked files were refused."""
        self._scanned, self._refused = None, ""
        self._refresh()

    def close(self) -> None:
        """Take the form off the page and free its widgets; picked files stay with the kernel."""
        if self._looking is not None:
            self._looking.cancel()
        if self._explorer is not None:
            self._explorer.close()
        super().close()

    def _read(self) -> DatasetChoice:
        if self._refused:
            raise BadInput(self._refused)
        return read_choice(self._folder.value, self._chosen_name(), self._scan)

    def _chosen_name(self) -> str:
        name = str(self._name.value)
        if not name.strip() and self._picked and self._folder.value == str(self._picked):
            raise _BadName("Name the dataset: picked files have no folder that could name it.")
        return name

    def _scan(self, folder: Path) -> LocalDataset:
        """Return what is in the folder; looks again only if something there has changed."""
        now = stamp(folder)
        if self._scanned is None or self._scanned[0] != folder:
            self._scanned = (folder, now, LocalDataset.scan(folder, demands=self._demands))
        elif self._scanned[1] != now:
            # An edited caption must not cost a look at every picture.
            self._scanned = (folder, now, self._scanned[2].again())
        return self._scanned[2]

    def _reread(self) -> None:
        """Take note of captions that were written here."""
        if self._scanned is not None:
            folder, _, local = self._scanned
            try:
                # Also where the folder's own files are as before: a zip is edited unpacked.
                self._scanned = (folder, stamp(folder), local.again())
            except InvalidDataset:
                self._scanned = None
        self._refresh()

    # -- what happens when somebody edits --------------------------------------------------------

    def _on_edit(self, change: Any) -> None:
        self._remark = ""
        self._refused = ""
        if change["owner"] is not self._folder:
            self._refresh()
            return
        self._folder.options = completions(str(self._folder.value))
        if self._looking is not None:
            self._looking.cancel()
        try:
            # The folders on the way to the one that is typed are not looked into.
            self._looking = asyncio.get_running_loop().create_task(self._look_soon())
        except RuntimeError:  # no event loop, so nobody types
            self._refresh()

    async def _look_soon(self) -> None:
        await asyncio.sleep(_PAUSE)
        self._found.value = str(_html.note("Looking into the folder …"))
        # In a thread: many large pictures take seconds, and the kernel is to go on.
        await asyncio.to_thread(self._problems)
        self._refresh()

    def _take_files(self, change: Mapping[str, Any]) -> None:
        """Keep the picked files, and take them out of the widget."""
        if not (files := change["new"]):
            return
        self._files.value = ()
        try:
            self._picked = self._picked or private_folder()
            store(files, self._picked, self._limit())
        except (BadInput, OSError) as exc:
            self._refused = str(exc)
        else:
            self._refused, self._scanned = "", None
            self._folder.value = str(self._picked)
        self._remark = ""
        self._refresh()

    # -- how it shows itself -------------------------------------------------------------------

    def _problems(self) -> Mapping[str, str]:
        try:
            self._read()
        except _BadName as exc:
            return {"name": str(exc)}
        except InvalidDataset as exc:
            # The table below the form names each; one that cannot be opened has no table.
            return {"folder": " ".join(exc.problems)}
        except BadInput as exc:
            return {"": str(exc)} if self._refused else {"folder": str(exc)}
        return {}

    def _refresh(self) -> None:
        super()._refresh()
        limit = megabytes(self._limit())
        self._upload_note.value = str(
            _html.note(
                f"At most {limit} at once: more cannot pass from the browser to the kernel. For "
                "larger files give the folder's path, having put them there by Jupyter's own "
                "file browser."
            )
        )
        self._found.value = str(self._shown())

    def _shown(self) -> _html.Html:
        """Return the counts of what was found, and show the rest of it below."""
        local = self._local()
        if self._is_shown and self._explorer is None and local is not None:
            self._explorer = Explorer(self._reread)
            self._explored.children = (self._explorer.widget,)
        if self._explorer is not None:
            self._explorer.show(local)
        return local.summary() if local is not None else _html.Html()

    def _local(self) -> LocalDataset | None:
        try:
            return self._scan(_path(str(self._folder.value)))
        except BadInput:
            return None

    def _rows(self) -> Iterable[tuple[object, object]]:
        local = self._local()
        # The last part only: the whole path tells of the machine, and differs on the next.
        typed = str(self._folder.value).strip()
        folder = Path(typed).name or typed
        yield "folder", folder or "none"
        own = local.name if local is not None else folder
        yield "name on the server", str(self._name.value).strip() or own
        if local is not None:
            warnings = len(local.problems) - len(local.errors)
            yield "images", len(local.images)
            yield "captions", len(local.captions)
            yield "problems", f"{len(local.errors)} errors, {warnings} warnings"

    def __repr__(self) -> str:
        if self._problems():
            return "<DatasetForm not usable>"
        choice = self._read()
        return f"<DatasetForm {choice.name!r}: {len(choice.local.images)} images>"

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        self._is_shown = True
        self._refresh()
        return super()._repr_mimebundle_(**options)
