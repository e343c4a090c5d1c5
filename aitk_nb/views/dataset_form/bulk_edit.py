"""`BulkEdit`: one change to all captions: find, prefix, suffix, trigger word; and undo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb._display.images import Thumbnails
from aitk_nb._units import plural
from aitk_nb.datasets.local.captions import Edit, caption_path, write_caption
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.errors import BadInput

_FIELDS = {
    "find": ("Find", "text in the captions"),
    "replace": ("Replace with", "empty removes it"),
    "prefix": ("Prefix", "for example: a photo of "),
    "suffix": ("Suffix", "for example: , studio light"),
    "trigger": ("Trigger word", "added where it and [trigger] are missing"),
}
_EXAMPLES = 6
"""Changed images that are shown."""


class BulkEdit:
    """Fields for a change, its preview, and buttons to apply and to undo it."""

    def __init__(
        self, on_changed: Callable[[str], None], say: Callable[[str], None], thumbnails: Thumbnails
    ) -> None:
        """Call `on_changed` with what was done, and `say` with what failed."""
        self._on_changed = on_changed
        self._say = say
        self._thumbnails = thumbnails
        self._dataset: LocalDataset | None = None
        self._before: dict[Path, str | None] = {}
        layout = widgets.Layout(width="28em", max_width="100%")
        style = {"description_width": "8em"}
        self.fields = {
            name: widgets.Text(description=label, placeholder=hint, layout=layout, style=style)
            for name, (label, hint) in _FIELDS.items()
        }
        self.uncaptioned = widgets.Checkbox(
            description="Also images without a caption",
            indent=True,
            layout=layout,
            style=style,
        )
        button = widgets.Layout(width="auto")
        self.apply = widgets.Button(description="Change captions", disabled=True, layout=button)
        self.undo = widgets.Button(description="Undo", disabled=True, layout=button)
        self._preview = widgets.HTML()
        buttons = widgets.HBox([self.apply, self.undo])
        self.widget = widgets.VBox(
            [*self.fields.values(), self.uncaptioned, self._preview, buttons]
        )
        for field in (*self.fields.values(), self.uncaptioned):
            field.observe(lambda _change: self.refresh(), names="value")
        self.apply.on_click(lambda _button: self._start(self._apply))
        self.undo.on_click(lambda _button: self._start(self._undo))

    def show(self, dataset: LocalDataset) -> None:
        """Show the dataset whose captions are to change."""
        self._dataset = dataset
        self.refresh()

    def refresh(self) -> None:
        """Preview the change."""
        try:
            changes = self._changes()
        except BadInput as exc:
            changes, text = {}, html.message(str(exc), "error")
        else:
            text = html.join(self._preview_of(changes))
        self.apply.disabled = not changes
        what = plural(len(changes), "caption") if changes else "captions"
        self.apply.description = f"Change {what}"
        self.undo.disabled = not self._before
        self._preview.value = str(text)

    def _changes(self) -> dict[Path, str]:
        if self._dataset is None:
            return {}
        texts = {name: str(field.value) for name, field in self.fields.items()}
        edit = Edit(**texts, uncaptioned=bool(self.uncaptioned.value))
        return changed_captions(self._dataset, edit)

    def _preview_of(self, changes: Mapping[Path, str]) -> Iterator[html.Html]:
        if self._dataset is None or not any(field.value for field in self.fields.values()):
            return
        captions = self._dataset.captions
        without = sum(not captions.get(path.name) for path in self._dataset.contents.trained)
        if without and not self.uncaptioned.value:
            verb = "is" if without == 1 else "are"
            yield html.note(f"{plural(without, 'image')} without a caption {verb} skipped.")
        if not changes:
            yield html.note("No caption changes.")
            return
        rows = [
            (
                html.framed(self._thumbnails.get(path), path.name, "64px", "96px"),
                path.name,
                _short(captions.get(path.name) or "no caption"),
                _short(text),
            )
            for path, text in list(changes.items())[:_EXAMPLES]
        ]
        yield html.table(("image", "file", "caption now", "caption after"), rows)
        if more := len(changes) - len(rows):
            yield html.note(f"and {more} more")

    def _start(self, action: Callable[[], None]) -> None:
        """Run in a thread where there is an event loop: thousands of files take a while."""
        self.apply.disabled = self.undo.disabled = True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            action()
        else:
            self._task = loop.create_task(asyncio.to_thread(action))

    def _apply(self) -> None:
        changes = self._changes()
        self._before = {path: _content(path) for path in changes}
        if self._write(changes):
            for field in self.fields.values():
                field.value = ""
        self._on_changed(f"{plural(len(changes), 'caption')} saved.")

    def _undo(self) -> None:
        back, self._before = self._before, {}
        self._write(back)
        self._on_changed("The captions are restored.")

    def _write(self, captions: Mapping[Path, str | None]) -> bool:
        try:
            for path, text in captions.items():
                if text is None:
                    caption_path(path).unlink(missing_ok=True)
                else:
                    write_caption(path, text)
        except BadInput as exc:
            self._say(str(exc))
            return False
        return True


def changed_captions(dataset: LocalDataset, edit: Edit) -> dict[Path, str]:
    """Return the captions that `edit` changes, by image; a shared one appears once."""
    owners = {caption_path(path): path for path in reversed(dataset.contents.trained)}
    found: dict[Path, str] = {}
    for path in dataset.contents.trained:
        caption, file = dataset.captions.get(path.name), caption_path(path)
        # What can't be read as text is not changed unseen.
        if owners[file] == path and not (caption is None and file.exists()):
            text = edit.of(caption or "")
            if text != (caption or ""):
                found[path] = text
    return found


def _content(path: Path) -> str | None:
    try:
        return caption_path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def _short(text: str) -> str:
    return text if len(text) <= 240 else f"{text[:160]} … {text[-70:]}"
