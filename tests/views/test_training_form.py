"""`TrainingForm`: every parameter has a field, and what the fields say is what is trained."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb import _html
from aitk_nb.errors import AitkError, BadInput, InvalidParams
from aitk_nb.jobs.estimate import EstimateReport
from aitk_nb.jobs.preflight_report import PreflightReport, problem
from aitk_nb.models.checklist import Check, Checklist
from aitk_nb.notebooks.run import find
from aitk_nb.training import presets
from aitk_nb.training.export import FORMATS
from aitk_nb.training.fields import schema
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.validation import allowed
from aitk_nb.views import TrainingForm
from aitk_nb.views.forms.training_fields import GROUPS, label, read_params, texts_of
from tests.loops import for_each
from tests.views.conftest import click, instances, send

START = TrainingParams(name="cat", dataset="cats")
OTHER = TrainingParams(
    name="dog",
    dataset="dogs",
    extra_datasets=("wolves", "more, with a comma"),
    control_datasets=("dogs_control",),
    arch="flux2",
    base_model="somebody/model",
    steps=300,
    learning_rate=3.3e-5,
    batch_size=2,
    rank=8,
    alpha=4,
    resolution=(512, 640),
    trigger_word="rex",
    save_every=50,
    sample_every=60,
    prompts=("a [trigger], smiling", "<b>bold</b>"),
    quantize="uint4",
    quantize_te="",
    low_vram=True,
    network="lokr",
    lokr_factor=8,
    optimizer="prodigyopt",
    gradient_accumulation=2,
    num_frames=9,
    caption_dropout=0.1,
    timestep_type="linear",
    dtype="fp16",
    ema=0.99,
    max_saves=9,
    sample_width=64,
    sample_height=64,
    sample_frames=9,
    sample_steps=9,
    guidance=1.5,
    sample_seed=1,
    seed=7,
    gpu_ids="0,1",
    extra="train:\n  steps: 5\n",
)


def edit(form: TrainingForm, name: str, text: str) -> None:
    """Type `text` into a field as a front-end does, or choose it."""
    control = form._fields[name].control
    if hasattr(control, "options"):
        send(control, index=[value for _, value in control.options].index(text))
    else:
        send(control, value=text)


def test_every_parameter_has_a_control() -> None:
    """Each field of the model is shown once, with its description, in some group."""
    form = TrainingForm(START)
    placed = [name for group in form._groups for name in group.names]

    assert sorted(TrainingParams.model_fields) == sorted(placed)
    assert {name for names in GROUPS.values() for name in names} == set(placed)
    shown = [part for group in form._groups for part in group.box.children]
    for name, entry in schema().items():
        field = form._fields[name]
        assert field.control in shown
        assert _html.escape(entry["description"]) in field.note.value
        assert field.control.description
    form.close()


def test_untouched_it_is_its_start() -> None:
    """Also where a text cannot hold the value, such as a prompt of two lines."""
    odd = TrainingParams(name="cat", dataset="cats", prompts=("two\nlines", " x "), steps=9)
    for params in (START, OTHER, odd):
        form = TrainingForm(params)
        assert params == form.value
        assert () == form.edited
        form.close()


def test_edited_by_messages_it_is_the_same_as_constructed() -> None:
    """Every field typed one after the other gives the other parameters."""
    form = TrainingForm(START)
    for name, text in texts_of(OTHER).items():
        edit(form, name, text)

    assert OTHER == form.value
    assert set(TrainingParams.model_fields) == set(form.edited)
    form.close()


_line = st.text(st.characters(categories=["L", "N", "P", "Z"]), min_size=1).map(str.strip)


@given(
    steps=st.integers(1, 10_000_000),
    rate=st.floats(1e-12, 9.99),
    prompts=st.lists(_line.filter(lambda line: bool(line) and "${" not in line)),
    edges=st.lists(st.integers(16, 8192), min_size=1),
)
def test_texts_bring_the_value_back(
    steps: int, rate: float, prompts: list[str], edges: list[int]
) -> None:
    """What is shown for any parameters is read as those parameters."""
    other = START.model_dump() | {
        "steps": steps,
        "learning_rate": rate,
        "prompts": tuple(prompts),
        "resolution": tuple(edges),
    }
    assert TrainingParams(**other) == read_params(START, texts_of(TrainingParams(**other)))


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("steps", "0", "'0' should be greater than or equal to 1"),
        ("steps", "1e3", "should be a valid integer"),
        ("steps", " ", "' ' should be a valid integer"),
        ("rank", "99999", "less than or equal to 4096"),
        ("learning_rate", "fast", "'fast' should be a valid number"),
        ("learning_rate", "nan", "'nan' should be less than 10"),
        ("resolution", "512x512", "should be a valid integer"),
        ("resolution", "", "at least 1 item"),
        ("name", "../up", "must not"),
        ("gpu_ids", "first", "one number"),
        ("extra", "a: [", ""),
        ("prompts", "${HOME}", "environment"),
    ],
)
def test_what_cannot_be_used_is_told_beside_its_field(name: str, text: str, why: str) -> None:
    """The value raises, nothing is clamped, and the group says that something is wrong."""
    form = TrainingForm(START)
    edit(form, name, text)

    with pytest.raises(InvalidParams) as caught:
        _ = form.value
    assert {name} == set(caught.value.problems)
    assert why in caught.value.problems[name]
    assert "✕" in form._fields[name].note.value
    assert "✕" in form._status.value
    group = next(group for group in form._groups if name in group.names)
    assert "1 error" in group.toggle.description
    assert f"<TrainingForm invalid: {name}>" == repr(form)
    edit(form, name, texts_of(START)[name])
    assert START == form.value
    assert "✕" not in form._fields[name].note.value + form._status.value
    assert "error" not in group.toggle.description
    form.close()


def test_several_problems_are_all_told() -> None:
    """A blank number does not hide what the model finds."""
    form = TrainingForm(START)
    edit(form, "steps", "")
    edit(form, "seed", "-2")
    edit(form, "name", "<script>/")

    assert {"steps", "seed", "name"} == set(form._problems())
    assert "<script>" not in form._status.value + form._repr_html_()
    form.close()


def test_groups_open_by_a_button() -> None:
    """Only the first is open; a real button is reached and pressed by keyboard."""
    form = TrainingForm(START)
    assert [""] + ["none"] * (len(GROUPS) - 1) == [g.box.layout.display for g in form._groups]
    send(form._groups[1].toggle, value=True)
    assert "" == form._groups[1].box.layout.display
    assert form._groups[1].toggle.description.startswith("▾")
    form.close()


@for_each("arch", presets.load())
def test_choosing_an_architecture_brings_its_own_values(arch: str) -> None:
    """The untouched form with another architecture is the value constructed with it."""
    form = TrainingForm(START)
    edit(form, "arch", arch)

    assert TrainingParams(name="cat", dataset="cats", arch=arch) == form.value
    assert "none" == form._take.layout.display
    edit(form, "arch", START.arch)
    assert START == form.value
    form.close()


def test_what_was_chosen_is_kept_and_the_preset_offered() -> None:
    """A choice is not undone; the note says what the preset would set, and a button sets it."""
    form = TrainingForm(START)
    edit(form, "timestep_type", "linear")
    edit(form, "arch", "flux_kontext")

    assert "linear" == form.value.timestep_type
    note = form._fields["arch"].note.value
    assert "would set timestep type weighted" in note
    assert "" == form._take.layout.display
    click(form._take)
    assert TrainingParams(name="cat", dataset="cats", arch="flux_kontext") == form.value
    assert "none" == form._take.layout.display
    assert "would set" not in form._fields["arch"].note.value
    form.close()


def test_a_preset_shows_what_it_would_change_before_it_is_taken() -> None:
    """Looking changes nothing; the table follows the fields, and taking it does what it said."""
    start = TrainingParams(name="cat", dataset="cats", steps=77, base_model="own/<weights>")
    form = TrainingForm(start)
    preview = form._preview
    assert "none" == preview.button.layout.display
    look(form, "flux_kontext")

    assert start == form.value
    assert () == form.edited
    changes = preview.changes()
    shown = preview._changes.value
    for name, text in changes.items():
        assert _html.escape(label(name)) in shown
        assert _html.escape(text) in shown
        assert _html.escape(form._fields[name].control.value) in shown
    assert {"arch": "flux_kontext", "base_model": "", "timestep_type": "weighted"}.items() <= (
        changes.items()
    )
    assert "steps" not in changes
    assert "own/&lt;weights&gt;" in shown
    assert presets.load()["flux_kontext"].defaults["model.name_or_path"] in shown
    edit(form, "timestep_type", "weighted")
    assert "timestep_type" not in preview.changes()
    assert "Timestep type" not in preview._changes.value

    click(preview.button)
    taken = TrainingParams(name="cat", dataset="cats", steps=77, arch="flux_kontext")
    assert taken == form.value
    assert ("", "", "none") == (
        preview.choice.value, preview._changes.value, preview.button.layout.display)  # fmt: skip
    look(form, "flux_kontext")
    assert "No changes" in preview._changes.value
    assert "none" == preview.button.layout.display
    form.close()


@for_each("arch", presets.load())
def test_taking_a_preset_gives_its_own_values(arch: str) -> None:
    """Whatever the fields of the architecture held before."""
    form = TrainingForm(OTHER)
    look(form, arch)
    said = form._preview.changes()
    before = {name: field.control.value for name, field in form._fields.items()}
    click(form._preview.button)

    after = {name: field.control.value for name, field in form._fields.items()}
    assert said == {name: text for name, text in after.items() if before[name] != text}
    assert {} == form._offered()
    form.close()


def look(form: TrainingForm, arch: str) -> None:
    """Choose a preset to look at as a front-end does."""
    choice = form._preview.choice
    send(choice, index=[value for _, value in choice.options].index(arch))


def test_the_summary_follows_and_remarks_stand_beside_their_fields() -> None:
    """Epochs where the number of images is known, and what fits badly together."""
    form = TrainingForm(START, images=20)
    assert "3,000 steps · 60 steps per epoch · 50 epochs" in form._status.value
    edit(form, "steps", "600")
    assert "600 steps" in form._status.value
    edit(form, "steps", "1000000")
    assert "16,667 epochs" in form._status.value
    edit(form, "steps", "600")
    edit(form, "alpha", "64")
    assert "alpha is always the rank there" in form._fields["alpha"].note.value
    edit(form, "steps", "x")
    assert "steps per epoch" not in form._status.value
    assert "rank 32" not in form._fields["alpha"].note.value
    form.close()


def test_the_request_is_shown_when_it_is_opened_and_follows() -> None:
    """In each of its faces, escaped, and not while a field cannot be used."""
    form = TrainingForm(START)
    panel = form._request
    assert "" == panel._text.value
    send(panel.toggle, value=True)
    for at, (title, face) in enumerate(FORMATS.items()):
        send(panel._format, index=at)
        assert title == panel._format.value
        assert _html.escape(face(form.value)) in panel._text.value
    edit(form, "trigger_word", "<b>zwx")
    assert "&lt;b&gt;zwx" in panel._text.value
    edit(form, "steps", "")
    assert "once all fields are valid" in panel._text.value
    form.close()


def test_an_unknown_architecture_can_be_kept_and_left() -> None:
    """It is offered beside the known ones, since a newer server may have it."""
    start = TrainingParams(name="a", dataset="b", arch="zz_next", base_model="x/y")
    form = TrainingForm(start)
    assert start == form.value
    edit(form, "arch", "flux")
    assert "flux" == form.value.arch
    form.close()


def test_the_static_table_shows_the_values() -> None:
    """A page without widgets shows what will be trained, in words that repeat."""
    one, two = TrainingForm(OTHER), TrainingForm(OTHER)
    bundle = one._repr_mimebundle_()

    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == one.widget.model_id
    assert "<TrainingForm 'dog': 300 steps on 'dogs'>" == bundle["text/plain"]
    assert "3.3e-05" in bundle["text/html"]
    assert "&lt;b&gt;bold" in bundle["text/html"]
    again = two._repr_mimebundle_()
    assert [bundle[key] for key in ("text/plain", "text/html")] == [
        again[key] for key in ("text/plain", "text/html")
    ]
    one.close()
    two.close()


def test_arguments_are_closed() -> None:
    """Parameters go into the value and not beside it."""
    with pytest.raises(TypeError, match="no argument 'param'; did you mean 'params'"):
        TrainingForm(param=START)  # type: ignore[call-arg]


@pytest.mark.slow
def test_many_forms_leak_nothing() -> None:
    """Closed forms leave no widget, layout or style, and are forgotten."""
    before = instances()
    forms = [TrainingForm(START) for _ in range(50)]
    kept = [weakref.ref(form) for form in forms]
    for form in forms:
        form.close()
    assert before == instances()
    del form, forms
    gc.collect()
    assert not [ref for ref in kept if ref() is not None]


FORM_CELL = (
    "from aitk_nb import TrainingParams\nfrom aitk_nb.views import TrainingForm\n"
    "form = TrainingForm(TrainingParams(name='cat', dataset='cats'))\n"
    "from ipywidgets.widgets.widget import _instances\n"
    "form.widget.children[0].children[0].value if form.edited else len(_instances)"
)
TYPED_CELL = """
def send(name, text):
    form._fields[name].control.value = text
send('arch', 'flux2'), send('steps', '7'), send('quantize', 'uint4');
"""


def shown(book: Any) -> list[str]:
    """Return what each cell that showed something showed, as text."""
    return [cell.outputs[0]["data"]["text/plain"] for cell in book.cells if cell.outputs]


def test_running_the_cell_again_keeps_the_edits(execute: Any) -> None:
    """All of them, those that an architecture brought and that were changed after it too."""
    value = "form.value.steps, form.value.arch, form.value.quantize"
    first, before, text, after, again = shown(
        execute(FORM_CELL, FORM_CELL, TYPED_CELL, value, FORM_CELL, value, FORM_CELL)
    )[1:]

    assert first.isdigit()
    assert "(7, 'flux2', 'uint4')" == before == after
    assert text == again
    assert "Your edits are kept: " in text
    assert "starts with" not in text


def test_a_changed_start_says_what_differs_and_offers_both(execute: Any) -> None:
    """Edits stay above a new start until somebody drops them; what was not edited follows it."""
    changed = FORM_CELL.replace("'cats'", "'cats', steps=80, rank=8")
    value = "form.value.steps, form.value.rank"
    press = "form.widget.children[0].children[1].children[{}].click()"
    book = execute(
        "from aitk_nb.views.forms import form as module\nrun = iter(range(9))\n"
        "from aitk_nb.views.forms.cell_registry import RunningCell\n"
        "module.running_cell = lambda: RunningCell('one', str(next(run)))",
        FORM_CELL,
        "form._fields['steps'].control.value = '7'",
        changed,
        value,
        press.format(0),
        value,
        press.format(1),
        value,
    )
    _, text, kept, still, dropped = shown(book)

    assert "Steps 80 (before: 3000)" in text
    assert "Rank 8 (before: 32)" in text
    assert "(7, 8)" == kept == still
    assert "(80, 8)" == dropped


# -- starting -------------------------------------------------------------------------------------


class Started(list[TrainingParams]):
    """A server that notes what was started."""

    def __call__(self, params: TrainingParams) -> str:
        """Start it; the job is its name and the number of starts."""
        self.append(params)
        return f"{params.name} {len(self)}"


def test_where_nobody_can_press_the_button_the_job_starts_at_once() -> None:
    """And the same form starts it only once, as long as it holds the same."""
    started = Started()
    form = TrainingForm(START, on_start=started)

    assert "cat 1" == asyncio.run(form.started()) == asyncio.run(form.started())
    edit(form, "steps", "77")
    assert "cat 2" == asyncio.run(form.started(start=True))
    assert [3000, 77] == [params.steps for params in started]
    form.close()


def test_a_press_starts_the_job_that_the_cell_then_returns() -> None:
    """What is invalid is not started, and the form says why."""
    started = Started()
    form = TrainingForm(START, on_start=started)
    edit(form, "steps", "0")
    click(form.start.button)
    form.start.wait(10)
    assert not started
    assert "greater than or equal to 1" in form._found.value
    edit(form, "steps", "5")
    click(form.start.button)
    form.start.wait(10)

    assert "Started: " in form._found.value
    assert "cat 1" == asyncio.run(form.started())
    assert 1 == len(started)
    form.close()


def test_a_form_that_starts_nothing_says_so() -> None:
    """It has no button, and waiting for one would never end."""
    form = TrainingForm(START)
    with pytest.raises(BadInput, match="on_start="):
        asyncio.run(form.started())
    form.close()


# -- checking -------------------------------------------------------------------------------------


def report(*checks: Check, count: int = 20, size: int | None = None) -> PreflightReport:
    """Return what a check has found."""
    return PreflightReport(
        "cat", Checklist(checks), {"cats": count}, EstimateReport(checkpoint_size=size)
    )


def test_the_check_shows_what_it_found_and_fills_the_summary() -> None:
    """With the form's value; the next edit takes the finding away, which was about another one."""
    asked: list[TrainingParams] = []

    def look(params: TrainingParams) -> PreflightReport:
        asked.append(params)
        return report(problem("dataset", "'<b>cats' is empty."), size=50_000_000)

    form = TrainingForm(START, on_check=look)
    assert "epochs unknown" in form._status.value
    edit(form, "steps", "600")
    assert form.check is not None
    click(form.check.button)
    form.check.wait(10)

    assert [form.value] == asked
    assert "&#x27;&lt;b&gt;cats&#x27; is empty." in form._found.value
    assert "10 epochs" in form._status.value
    assert "150 MB" in form._status.value
    edit(form, "steps", "300")
    assert "" == form._found.value
    assert "5 epochs" in form._status.value
    form.close()


def test_a_check_that_cannot_be_made_says_why() -> None:
    """Of the server, or of a field; nothing is swallowed."""

    def fail(_params: TrainingParams) -> PreflightReport:
        raise AitkError("No server answers.")

    form = TrainingForm(START, on_check=fail)
    assert form.check is not None
    click(form.check.button)
    form.check.wait(10)
    assert "No server answers." in form._found.value
    edit(form, "steps", "0")
    click(form.check.button)
    form.check.wait(10)
    assert "greater than or equal to 1" in form._found.value
    form.close()


def test_without_a_check_there_is_no_button() -> None:
    """A form speaks to no server by itself."""
    form = TrainingForm(START)
    assert form.check is None
    form.close()


@pytest.mark.parametrize("name", TrainingParams.model_fields)
def test_a_field_says_what_it_may_be(name: str) -> None:
    """Where the pointer rests on it."""
    form = TrainingForm(START)
    assert allowed(schema()[name]) == form._fields[name].control.tooltip
    form.close()


def test_by_hand_and_headless_the_same_cells_give_the_same_config(execute: Any) -> None:
    """Typed into the form as a front-end does, or given as parameters of the notebook."""
    (path,) = (path for path in find() if path.stem == "04_train")
    code = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    given, form = code[0], next(cell for cell in code if "TrainingForm(start" in cell)
    setting = (
        "import types\nimport aitk_nb\nfrom aitk_nb.views import TrainingForm\n"
        "from aitk_nb.training.job_config import draft\n"
        "sent = types.SimpleNamespace(name='cats', images=())\n"
        "client = types.SimpleNamespace(jobs=types.SimpleNamespace(preflight=None, start=None))"
    )
    typed = (
        "def send(name, text):\n"
        "    data = {'method': 'update', 'state': {'value': text}, 'buffer_paths': []}\n"
        "    message = {'content': {'data': data}, 'buffers': []}\n"
        "    form._fields[name].control.comm.handle_msg(message)\n"
        "send('steps', '123'), send('trigger_word', 'zwx'), send('resolution', '512, 640');"
    )
    shown = "draft(form.value).config, form.value.gpu_ids"
    changed = (
        given.replace("steps: int = 400", "steps: int = 123")
        .replace('trigger_word: str = "grace"', 'trigger_word: str = "zwx"')
        .replace("= [512]", "= [512, 640]")
    )
    assert changed != given
    book = execute(given, setting, form, typed, shown, changed, form, shown)
    told = [
        output["data"]["text/plain"]
        for cell in book.cells
        for output in cell.outputs
        if "fingerprint" in output.get("data", {}).get("text/plain", "")
    ]

    by_hand, headless = told
    assert by_hand == headless
    assert "'steps': 123" in by_hand
