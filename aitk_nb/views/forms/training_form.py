"""`TrainingForm`: every training parameter as a field, checked by `TrainingParams` itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb._units import plural
from aitk_nb.errors import BadInput, InvalidParams
from aitk_nb.jobs.preflight_report import PreflightReport
from aitk_nb.models.server import Ability, Gpu
from aitk_nb.training import presets
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.plan import Files, plan
from aitk_nb.views.action import Action, StartButton
from aitk_nb.views.forms.field_group import Group, Looks, RequestPanel, columns
from aitk_nb.views.forms.form import Form
from aitk_nb.views.forms.training_fields import (
    GROUPS,
    SizeBoxes,
    about,
    field_of,
    gpu_choices,
    label,
    model_texts,
    own_texts,
    read_params,
    texts_of,
)
from aitk_nb.views.widgets import can_wait, wait_for


class TrainingForm(Form[TrainingParams]):
    """Edits a `TrainingParams`; pass its `.value` to `client.jobs.start`.

    Choosing another model sets the fields that have not been edited to its own values, says so,
    and offers them for the others.

    Example:
        >>> params = aitk_nb.TrainingParams(name="cat", dataset="cats")
        >>> form = aitk_nb.views.TrainingForm(params)
        >>> form.value.steps
        3000
    """

    def __init__(
        self,
        params: TrainingParams,
        *,
        images: int | Mapping[str, Files] = 0,
        checkpoint_size: int | None = None,
        datasets: Sequence[str] = (),
        gpus: Sequence[Gpu] = (),
        on_check: Callable[[TrainingParams], object] | None = None,
        on_start: Callable[[TrainingParams], object] | None = None,
    ) -> None:
        """Start from `params`, which the form never changes.

        Args:
            params: The values that the form shows at first.
            images: Number of images in the dataset, or by the name of each dataset their number
                or their widths and heights in pixels; for the summary.
            checkpoint_size: Bytes of a checkpoint, for the summary.
            datasets: Names of the server's datasets to choose from, as `client.datasets.list()`
                returns them. Without them the name is typed.
            gpus: The server's GPUs to choose from, as `client.gpus()` returns them.
            on_check: What the button "Check" calls with the form's value, such as
                `client.jobs.preflight`; its result is shown. Without it there is no button.
            on_start: What the button "Start training" calls with the form's value, such as
                `client.jobs.start`; `started` waits for it. Without it there is no button.
        """
        self._start = params
        self._images = images if isinstance(images, Mapping) else {params.dataset: images}
        self._checkpoint_size = checkpoint_size
        looks = Looks()
        known = {"dataset": [(name, name) for name in datasets], "gpu_ids": gpu_choices(gpus)}
        fields = {
            name: field_of(name, text, looks, known.get(name, ()))
            for name, text in texts_of(params).items()
        }
        self._model, self._brought = params.arch, ""
        self._take = widgets.Button(description="Use the model's values", layout=looks.offer)
        self._take.on_click(self._on_take)
        self._sizes = SizeBoxes(fields["resolution"].control)
        more = {"arch": self._take, "resolution": self._sizes.widget}
        cells = {
            name: widgets.VBox([*field.widgets, *filter(None, [more.get(name)])])
            for name, field in fields.items()
        }
        essential, *others = GROUPS
        self._groups = [
            Group(title, [cells[name] for name in GROUPS[title]], GROUPS[title]) for title in others
        ]
        self._request = RequestPanel(looks)
        body = [columns([cells[name] for name in GROUPS[essential]])]
        body += [group.widget for group in (*self._groups, self._request)]
        self._found = looks.html(indented=False)
        buttons: list[widgets.Widget] = []
        self.start: StartButton | None = None
        if on_start is not None:
            self.start = StartButton(on_start, self._read, self._say)
            buttons.append(self.start.button)
            self._stays = True
        self.check: Action | None = None
        if on_check is not None:
            self.check = Action(
                "Check", "Checking …", lambda: on_check(self._read()), self._say, self._take_in
            )
            buttons.append(self.check.button)
        for button in buttons[:1]:
            button.button_style = "primary"
        # Before the form's own observer, so that it sees the values that came with the choice.
        fields["arch"].control.observe(self._on_arch, names="value")
        self._build(fields, body, looks, [widgets.HBox(buttons), self._found])
        self._refresh()

    @classmethod
    def of(cls, client: Any, params: TrainingParams, *, images: int = 0) -> TrainingForm:
        """Return a form with a server's datasets and GPUs that checks and starts jobs there.

        Args:
            client: What `aitk_nb.connect` returns.
            params: The values that the form shows at first.
            images: Number of images in the dataset, for the summary.

        Example:
            >>> aitk_nb.views.TrainingForm.of(client, job.params(name="dog"))
            <TrainingForm 'dog': 20 steps on 'example_photos'>
        """
        return cls(
            params,
            images=images,
            datasets=client.datasets.list(),
            gpus=client.gpus() if client.can(Ability.GPUS) else (),
            on_check=client.jobs.preflight,
            on_start=client.jobs.start,
        )

    async def started(self, *, start: bool = False) -> Any:
        """Return the job that the button has started; where nobody can press it, start it now.

        Args:
            start: Start it now in any case.

        Returns:
            What `on_start` returned.

        Raises:
            AitkError: The job can't be started.
            WaitingStopped: The cell was interrupted; nothing was started.

        Example:
            >>> import asyncio
            >>> form = aitk_nb.views.TrainingForm(job.params(), on_start=client.jobs.start)
            >>> asyncio.run(form.started())
            <Job 'cat' completed step 20>
        """
        button = self.start
        if button is None:
            raise BadInput("This form starts nothing. Make it with on_start=client.jobs.start.")
        if can_wait() and not start and not button.is_done:
            why = "Nothing starts until you press Start training in the form above. "
            why += "If this job already exists, it is followed instead."
            await wait_for(lambda: button.is_done, self.widget, "Start training", why)
        job = button.job()
        self._stays = False
        self._show_as_used()
        return job

    def close(self) -> None:
        """Take the form off the page and free its widgets; `.value` can still be read."""
        for group in (*self._groups, self._request):
            group.close()
        self._sizes.close()
        self._take.on_click(self._on_take, remove=True)
        super().close()

    def _take_over(self, before: TrainingForm) -> None:
        super()._take_over(before)
        if self.start is not None and before.start is not None:
            self.start.started = before.start.started

    def _on_edit(self, change: object) -> None:
        # What was found holds for what was checked.
        self._found.value = ""
        super()._on_edit(change)

    def _say(self, text: str, kind: html.Kind) -> None:
        if kind == "error" and (problems := self._problems()):
            text = f"Nothing was done. Correct {_labels(problems)} first."
        shown = text if isinstance(text, html.Html) else html.message(text, kind)
        self._found.value = str(html.status([shown]))

    def _take_in(self, result: object) -> str:
        """Take what a check has found into the summary, and return it as it is to be shown."""
        if not isinstance(result, PreflightReport):
            return "" if result is None else repr(result)
        # Sizes that are known tell more than the number.
        counted = {
            name: count
            for name, count in result.files.items()
            if isinstance(self._images.get(name, 0), int)
        }
        self._images = {**self._images, **counted}
        self._checkpoint_size = result.estimate.checkpoint_size or self._checkpoint_size
        self._refresh()
        return result._repr_html_()

    def _on_arch(self, _change: object) -> None:
        arch = str(self._fields["arch"].control.value)
        new = own_texts(arch, own_texts(self._model))
        old = own_texts(self._model, new)
        self._model = arch
        brought = {}
        for name, text in new.items():
            control = self._fields[name].control
            if name in old and control.value == old[name] and text != old[name]:
                brought[name] = text
                control.value = text
        self._brought = f"Set with it: {_listed(brought)}" if brought else ""

    def _on_take(self, _button: object) -> None:
        self._set(self._offered())

    def _offered(self) -> dict[str, str]:
        """Return what the model would set in fields that hold something else."""
        is_new = self._model != self._start.arch
        own = (model_texts if is_new else own_texts)(self._model).items()
        return {name: text for name, text in own if self._fields[name].control.value != text}

    def _read(self) -> TrainingParams:
        return read_params(self._start, {n: f.control.value for n, f in self._fields.items()})

    def _hints(self) -> Mapping[str, str]:
        """Return each field's help, with the remarks on what fits badly together."""
        try:
            remarks = self._read().advice
        except InvalidParams:
            remarks = {}
        hints = {name: about(name) for name in self._fields}
        for name, remark in remarks.items():
            hints[name] += f". Note: {remark}"
        if self._brought:
            hints["arch"] = hints["arch"].replace(about("arch"), self._brought)
        would = self._offered()
        self._take.layout.display = "" if would else "none"
        if would:
            hints["arch"] += f". Its own values, not used here: {_listed(would)}"
        return hints

    def _show_status(self, problems: Mapping[str, str], also: Iterable[object] = ()) -> None:
        for group in self._groups:
            group.count(sum(name in problems for name in group.names))
        preset = presets.load().get(self._model)
        model = preset.defaults.get("model.name_or_path", "") if preset else ""
        self._fields["base_model"].control.placeholder = str(model)
        params = None if problems else self._read()
        self._request.show(params)
        # What is wrong stands beside its field, which a closed group may hide.
        counted = f"{plural(len(problems), 'error')}: {_labels(problems)}"
        shown = (
            html.note(str(plan(params, self._images, self._checkpoint_size)))
            if params
            else html.message(counted, "error")
        )
        super()._show_status({}, [shown, *also])

    def _rows(self) -> Iterable[tuple[object, object]]:
        for name, field in self._fields.items():
            if field.control.value:
                yield label(name), html.breakable(field.control.value)

    def __repr__(self) -> str:
        if problems := self._problems():
            return f"<TrainingForm invalid: {', '.join(problems)}>"
        params = self._read()
        return f"<TrainingForm {params.name!r}: {params.steps} steps on {params.dataset!r}>"


def _listed(texts: Mapping[str, str]) -> str:
    words = {"": "none", "True": "yes", "False": "no"}
    return ", ".join(f"{label(name)} {words.get(text, text)}" for name, text in texts.items())


def _labels(names: Iterable[str]) -> str:
    return ", ".join(map(label, names))
