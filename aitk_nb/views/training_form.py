"""`TrainingForm`: every training parameter as a field, checked by `TrainingParams` itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import ipywidgets as widgets

from aitk_nb import presets
from aitk_nb.choices import CHOICES
from aitk_nb.errors import InvalidParams
from aitk_nb.training import TrainingParams
from aitk_nb.views._form import Field, Form, Looks, label

__all__ = ["GROUPS", "TrainingForm", "read_params", "texts_of"]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Basics": ("name", "dataset", "extra_datasets", "trigger_word", "steps"),
    "Model": ("arch", "base_model", "quantize", "quantize_te", "low_vram"),
    "Network": ("network", "rank", "alpha", "lokr_factor"),
    "Training": (
        *("learning_rate", "optimizer", "batch_size", "gradient_accumulation", "resolution"),
        *("num_frames", "caption_dropout", "timestep_type", "dtype", "ema", "seed", "gpu_ids"),
    ),
    "Saving and samples": (
        *("save_every", "max_saves", "sample_every", "prompts", "sample_width", "sample_height"),
        *("sample_frames", "sample_steps", "guidance", "sample_seed"),
    ),
    "Advanced": ("extra",),
}
"""The fields in the order in which they are shown; one that is in none is shown with the last."""

_BY_LINES = frozenset({"prompts", "extra_datasets"})
_TALL = _BY_LINES | {"extra"}
_ONE_PER_LINE = "; one a line"


def texts_of(params: TrainingParams) -> dict[str, str]:
    """Return what each field of the form holds when it shows `params`."""
    return {name: _text(name, getattr(params, name)) for name in TrainingParams.model_fields}


def read_params(start: TrainingParams, texts: Mapping[str, str]) -> TrainingParams:
    """Return `start` with what the texts say where they differ from what it shows.

    Raises:
        InvalidParams: with one entry for each field that cannot be used.
    """
    shown = texts_of(start)
    changed = {name: text for name, text in texts.items() if text != shown[name]}
    if not changed:
        return start
    # A blank number is no number: the model would say so in words about parsing.
    blank = {name: "a number is needed" for name in changed if not _filled(name, changed[name])}
    values = {name: _parsed(name, text) for name, text in changed.items() if name not in blank}
    try:
        params = TrainingParams(**{**start.model_dump(), **values})
    except InvalidParams as exc:
        raise InvalidParams({**blank, **exc.problems}) from None
    if blank:
        raise InvalidParams(blank)
    return params


def _text(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return ("\n" if name in _BY_LINES else ", ").join(map(str, value))
    return str(value)


def _parsed(name: str, text: str) -> object:
    if name in _BY_LINES:
        return tuple(line.strip() for line in text.split("\n") if line.strip())
    # What is shown as a line is text to the last space; numbers do not mind.
    return text


def _filled(name: str, text: str) -> bool:
    return bool(text.strip()) or not _is_number(name)


def _is_number(name: str) -> bool:
    kind = TrainingParams.model_fields[name].annotation
    kind = get_args(kind)[0] if get_origin(kind) is tuple else kind
    return kind in (int, float)


class TrainingForm(Form[TrainingParams]):
    """Edits a `TrainingParams`; read it back from `.value`, and give that to `jobs.start`."""

    def __init__(self, params: TrainingParams) -> None:
        """Start from `params`, which the form never changes."""
        self._start = params
        looks = Looks()
        texts = texts_of(params)
        fields = {name: _field(name, texts[name], looks) for name in TrainingParams.model_fields}
        self._groups = [_Group(title, fields, names) for title, names in _grouped()]
        body = [part for group in self._groups for part in (group.toggle, group.box)]
        self._build(fields, body, looks)
        self._refresh()

    def _read(self) -> TrainingParams:
        return read_params(self._start, {n: f.control.value for n, f in self._fields.items()})

    def _show_status(self, problems: Mapping[str, str], also: Iterable[object] = ()) -> None:
        for group in self._groups:
            group.count(sum(name in problems for name in group.names))
        super()._show_status(problems, also)

    def _rows(self) -> Iterable[tuple[object, object]]:
        for name, field in self._fields.items():
            if field.control.value:
                yield label(name), field.control.value

    def __repr__(self) -> str:
        if problems := self._problems():
            return f"<TrainingForm not usable: {', '.join(problems)}>"
        params = self._read()
        return f"<TrainingForm {params.name!r}: {params.steps} steps on {params.dataset!r}>"


class _Group:
    """Some fields under a button that shows and hides them."""

    # An Accordion's headers and, in older front-ends, a Tab's cannot be reached by keyboard.

    def __init__(self, title: str, fields: Mapping[str, Field], names: tuple[str, ...]) -> None:
        self.names = names
        self._title = title
        self._problems = 0
        children = [part for name in names for part in fields[name].widgets]
        self.box = widgets.VBox(children)
        self.toggle = widgets.ToggleButton(
            value=title == next(iter(GROUPS)), layout=widgets.Layout(width="34em", max_width="100%")
        )
        self.toggle.observe(self._show, names="value")
        self._show(None)

    def count(self, problems: int) -> None:
        """Say on the button how many of the fields cannot be used."""
        if problems != self._problems:
            self._problems = problems
            self._show(None)

    def _show(self, _change: object) -> None:
        sign = "▾" if self.toggle.value else "▸"
        bad = f" — {self._problems} to correct" if self._problems else ""
        self.toggle.description = f"{sign} {self._title}{bad}"
        self.box.layout.display = "" if self.toggle.value else "none"


def _grouped() -> list[tuple[str, tuple[str, ...]]]:
    """Return the groups; a field that nobody has put into one is in the last."""
    placed = {name for names in GROUPS.values() for name in names}
    rest = tuple(name for name in TrainingParams.model_fields if name not in placed)
    *groups, (last, names) = GROUPS.items()
    return [*groups, (last, names + rest)]


def _field(name: str, text: str, looks: Looks) -> Field:
    about = TrainingParams.model_fields[name].description or ""
    if options := _options(name, text):
        control = widgets.Dropdown(
            options=options,
            value=text,
            description="Architecture" if name == "arch" else label(name),
            style=looks.choice,
            layout=looks.control,
        )
        return Field(control, looks, about)
    tall = name in _TALL
    # Plain text for numbers as well: a bounded number field would quietly train another number.
    kind = widgets.Textarea if tall else widgets.Text
    control = kind(
        text,
        description=label(name),
        style=looks.text,
        layout=looks.tall if tall else looks.control,
    )
    return Field(control, looks, about + (_ONE_PER_LINE if name in _BY_LINES else ""))


def _options(name: str, text: str) -> list[tuple[str, str]]:
    """Return what a field offers as words and values; nothing where it takes any text."""
    if name == "arch":
        return _architectures(text)
    if TrainingParams.model_fields[name].annotation is bool:
        return [("yes", "True"), ("no", "False")]
    return [(word or "none", word) for word in CHOICES.get(name, ())]


def _architectures(current: str) -> list[tuple[str, str]]:
    """Return label and name of the known architectures, and the current one if it is unknown."""
    known = sorted(presets.load().values(), key=lambda preset: (preset.group, preset.label))
    options = [(f"{one.group}: {one.label} ({one.arch})", one.arch) for one in known]
    if current not in presets.load():
        options.insert(0, (f"{current} (not known here)", current))
    return options
