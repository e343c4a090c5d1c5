"""`TrainingForm`: every training parameter as a field, checked by `TrainingParams` itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.errors import InvalidParams
from aitk_nb.jobs.preflight_report import PreflightReport
from aitk_nb.training import presets
from aitk_nb.training.choices import CHOICES
from aitk_nb.training.fields import TrainingParams
from aitk_nb.training.limits import allowed
from aitk_nb.training.plan import plan
from aitk_nb.views.action import Action
from aitk_nb.views.forms.field_group import Group
from aitk_nb.views.forms.form import Field, Form, Looks, label
from aitk_nb.views.forms.preset_preview import PresetPreview
from aitk_nb.views.forms.request_panel import RequestPanel
from aitk_nb.views.forms.training_fields import BY_LINES, own_texts, read_params, texts_of

__all__ = ["GROUPS", "TrainingForm", "read_params", "texts_of"]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Basics": ("name", "dataset", "extra_datasets", "control_datasets", "trigger_word", "steps"),
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

_TALL = BY_LINES | {"extra"}
_ONE_PER_LINE = "; one a line"


class TrainingForm(Form[TrainingParams]):
    """Edits a `TrainingParams`; read it back from `.value`, and give that to `jobs.start`.

    Choosing another architecture brings its own values into the fields that nobody has changed,
    says so, and offers them for the others. What a preset would change can be seen before.
    """

    def __init__(
        self,
        params: TrainingParams,
        *,
        images: int | None = None,
        checkpoint_size: int | None = None,
        on_check: Callable[[TrainingParams], object] | None = None,
    ) -> None:
        """Start from `params`, which the form never changes.

        `images` in the dataset and the bytes of a checkpoint, if known, go into the summary. With
        `on_check`, such as `client.jobs.preflight`, there is a button that calls it with the
        form's value and shows what it returns.
        """
        self._start = params
        self._known = (images, checkpoint_size)
        looks = Looks()
        texts = texts_of(params)
        fields = {name: _field(name, texts[name], looks) for name in TrainingParams.model_fields}
        self._groups = [
            Group(title, fields, names, opened=title == next(iter(GROUPS)))
            for title, names in _grouped()
        ]
        self._request = RequestPanel(looks)
        self._preset = fields["arch"].control.value
        self._brought = ""
        self._take = widgets.Button(description="Use all its values", layout=looks.offer)
        self._take.on_click(self._on_take)
        self._preview = PresetPreview(_architectures(), looks, self._set)
        self._put_offer(fields["arch"])
        body = [part for group in self._groups for part in (group.toggle, group.box)]
        body += [self._request.toggle, self._request.box]
        self._found = looks.html(indented=False)
        self.check: Action | None = None
        if on_check is not None:
            self.check = _check_button(on_check, lambda: self.value, self._say, self._take_in)
            body.append(self.check.button)
        body.append(self._found)
        # Before the form's own observer, so that it sees the values that came with the choice.
        fields["arch"].control.observe(self._on_arch, names="value")
        self._build(fields, body, looks)
        self._refresh()

    def close(self) -> None:
        """Take the form off the page and free its widgets; `.value` can still be read."""
        self._request.close()
        self._take.on_click(self._on_take, remove=True)
        self._preview.close()
        super().close()

    def _on_edit(self, change: object) -> None:
        # What was found holds for what was checked.
        self._found.value = ""
        super()._on_edit(change)

    def _say(self, text: str, kind: _html.Kind) -> None:
        shown = text if isinstance(text, _html.Html) else _html.message(text, kind)
        self._found.value = str(_html.status([shown]))

    def _take_in(self, result: object) -> str:
        """Take what a check has found into the summary, and return it as it is to be shown."""
        if not isinstance(result, PreflightReport):
            return "" if result is None else repr(result)
        images, size = self._known
        self._known = (result.images or images, result.estimate.checkpoint_size or size)
        self._refresh()
        return result.html()

    def _put_offer(self, field: Field) -> None:
        """Put the preview of presets above the choice of the architecture, and the offer below."""
        for group in self._groups:
            if "arch" in group.names:
                parts = list(group.box.children)
                parts.insert(parts.index(field.note) + 1, self._take)
                at = parts.index(field.control)
                parts[at:at] = self._preview.widgets
                group.box.children = parts

    def _on_arch(self, _change: object) -> None:
        arch = str(self._fields["arch"].control.value)
        old, new = own_texts(self._preset), own_texts(arch)
        self._preset = arch
        brought = {}
        for name, text in new.items():
            control = self._fields[name].control
            if name in old and control.value == old[name] and text != old[name]:
                brought[name] = text
                control.value = text
        self._brought = f"It brought {_listed(brought)}" if brought else ""

    def _on_take(self, _button: object) -> None:
        self._set(self._offered())

    def _set(self, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            self._fields[name].control.value = text

    def _offered(self) -> dict[str, str]:
        """Return what the preset would set in fields that hold something else."""
        own = own_texts(self._preset).items()
        return {name: text for name, text in own if self._fields[name].control.value != text}

    def _read(self) -> TrainingParams:
        return read_params(self._start, {n: f.control.value for n, f in self._fields.items()})

    def _hints(self) -> Mapping[str, str]:
        """Return each field's help, with the remarks on what fits badly together."""
        try:
            remarks = self._read().advice
        except InvalidParams:
            remarks = {}
        hints = {name: _about(name) for name in self._fields}
        for name, remark in remarks.items():
            hints[name] += f". Note: {remark}"
        hints["arch"] += f". {self._brought}" if self._brought else ""
        would = self._offered()
        self._take.layout.display = "" if would else "none"
        if would:
            hints["arch"] += f". Its preset would set {_listed(would)}"
        return hints

    def _show_status(self, problems: Mapping[str, str], also: Iterable[object] = ()) -> None:
        for group in self._groups:
            group.count(sum(name in problems for name in group.names))
        self._preview.show({name: field.control.value for name, field in self._fields.items()})
        params = None if problems else self._read()
        self._request.show(params)
        summary = [_html.note(str(plan(params, *self._known)))] if params else []
        super()._show_status(problems, [*summary, *also])

    def _rows(self) -> Iterable[tuple[object, object]]:
        for name, field in self._fields.items():
            if field.control.value:
                yield label(name), field.control.value

    def __repr__(self) -> str:
        if problems := self._problems():
            return f"<TrainingForm not usable: {', '.join(problems)}>"
        params = self._read()
        return f"<TrainingForm {params.name!r}: {params.steps} steps on {params.dataset!r}>"


def _check_button(
    on_check: Callable[[TrainingParams], object],
    value: Callable[[], TrainingParams],
    say: Callable[[str, _html.Kind], None],
    done: Callable[[object], str],
) -> Action:
    """Return the button that checks what the form holds."""
    return Action("Check", "Checking …", lambda: on_check(value()), say, done=done)


def _grouped() -> list[tuple[str, tuple[str, ...]]]:
    """Return the groups; a field that nobody has put into one is in the last."""
    placed = {name for names in GROUPS.values() for name in names}
    rest = tuple(name for name in TrainingParams.model_fields if name not in placed)
    *groups, (last, names) = GROUPS.items()
    return [*groups, (last, names + rest)]


def _listed(texts: Mapping[str, str]) -> str:
    return ", ".join(f"{label(name).lower()} {text or 'none'}" for name, text in texts.items())


def _about(name: str) -> str:
    about = TrainingParams.model_fields[name].description or ""
    return about + (_ONE_PER_LINE if name in BY_LINES else "")


def _field(name: str, text: str, looks: Looks) -> Field:
    about = _about(name)
    may_be = allowed(name, TrainingParams.model_fields[name])
    if options := _options(name, text):
        control = widgets.Dropdown(
            options=options,
            value=text,
            description=label(name),
            tooltip=may_be,
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
        tooltip=may_be,
        style=looks.text,
        layout=looks.tall if tall else looks.control,
    )
    return Field(control, looks, about)


def _options(name: str, text: str) -> list[tuple[str, str]]:
    """Return what a field offers as words and values; nothing where it takes any text."""
    if name == "arch":
        known = _architectures()
        unknown = [(f"{text} (not known here)", text)] if text not in presets.load() else []
        return unknown + known
    if TrainingParams.model_fields[name].annotation is bool:
        return [("yes", "True"), ("no", "False")]
    return [(word or "none", word) for word in CHOICES.get(name, ())]


def _architectures() -> list[tuple[str, str]]:
    """Return label and name of the known architectures."""
    known = sorted(presets.load().values(), key=lambda preset: (preset.group, preset.label))
    return [(f"{one.group}: {one.label} ({one.arch})", one.arch) for one in known]
