"""`TrainingForm`: every parameter has a field, and what the fields say is what is trained."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb._display import html
from aitk_nb.errors import AitkError, BadInput, InvalidParams
from aitk_nb.jobs.estimate import EstimateReport
from aitk_nb.jobs.preflight_report import PreflightReport, problem
from aitk_nb.models.checklist import Check, Checklist
from aitk_nb.models.server import Gpu
from aitk_nb.notebooks.run import find
from aitk_nb.training import presets
from aitk_nb.training.export import FORMATS
from aitk_nb.training.fields import schema
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.validation import allowed
from aitk_nb.views import TrainingForm
from aitk_nb.views.forms.training_fields import GROUPS, label, read_params, texts_of
from aitk_nb.views.widgets import _parts
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
    more_steps=30,
    init_lora="cat@30",
    validation="held_out",
    validate_every=30,
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
    """Each field of the model is shown once, with a name and its help; seven are never hidden."""
    form = TrainingForm(START)
    essential, *others = GROUPS
    assert ["name", "dataset", "trigger_word", "arch", "steps", "rank", "learning_rate"] == (
        list(GROUPS[essential]))  # fmt: skip
    assert others == [group._title for group in form._groups]

    shown = [part.model_id for part in _parts(form.widget)]
    hidden = [part.model_id for group in form._groups for part in _parts(group.box)]
    for name, entry in schema().items():
        field = form._fields[name]
        assert 1 == shown.count(field.control.model_id)
        assert (name in GROUPS[essential]) == (field.control.model_id not in hidden)
        assert html.escape(entry["description"]) in field.note.value
    assert len(schema()) == len({field.control.description for field in form._fields.values()})
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
    hidden = [group for group in form._groups if name in group.names]
    assert all("1 error" in group.toggle.description for group in hidden)
    assert f"1 error: {label(name)}<" in form._status.value
    assert why in form._fields[name].control.tooltip
    assert f"<TrainingForm invalid: {name}>" == repr(form)
    edit(form, name, texts_of(START)[name])
    assert START == form.value
    assert "✕" not in form._fields[name].note.value + form._status.value
    assert not [group for group in hidden if "error" in group.toggle.description]
    assert allowed(schema()[name]) == form._fields[name].control.tooltip
    form.close()


def test_several_problems_are_all_told() -> None:
    """A blank number does not hide what the model finds."""
    form = TrainingForm(START)
    edit(form, "steps", "")
    edit(form, "seed", "-2")
    edit(form, "name", "<script>/")

    assert {"steps", "seed", "name"} == set(form._problems())
    assert "3 errors: " in form._status.value
    assert "<script>" not in form._status.value + form._repr_html_()
    form.close()


def test_groups_open_by_a_button() -> None:
    """None is open at first; a real button is reached and pressed by keyboard."""
    form = TrainingForm(START)
    assert {"none"} == {group.box.layout.display for group in form._groups}
    click(form._groups[1].toggle)
    assert "grid" == form._groups[1].box.layout.display
    assert form._groups[1].toggle.description.startswith("▾")
    click(form._groups[1].toggle)
    assert "none" == form._groups[1].box.layout.display
    form.close()


@pytest.fixture
def plain_form() -> Iterator[TrainingForm]:
    """An untouched form."""
    form = TrainingForm(START)
    yield form
    form.close()


@for_each("arch", presets.load())
def test_choosing_an_architecture_brings_its_own_values(plain_form: Any, arch: str) -> None:
    """The untouched form with another architecture is the value constructed with it."""
    edit(plain_form, "arch", arch)

    assert TrainingParams(name="cat", dataset="cats", arch=arch) == plain_form.value
    assert "none" == plain_form._take.layout.display
    edit(plain_form, "arch", START.arch)
    assert START == plain_form.value


def test_what_was_chosen_is_kept_and_the_models_values_are_offered() -> None:
    """A choice is not undone; one line says what came with the model, and what did not."""
    start = TrainingParams(name="cat", dataset="cats", steps=77, base_model="own/<weights>")
    form = TrainingForm(start)
    model = form._fields["arch"]
    assert "none" == form._take.layout.display
    edit(form, "caption_dropout", "0.2")
    edit(form, "arch", "wan22_14b_i2v")

    value = form.value
    assert (0.2, "own/<weights>") == (value.caption_dropout, value.base_model)
    assert "Set with it: " in model.note.value
    assert "Num Frames" in model.note.value
    assert "not used here: Name or Path none" in model.note.value
    default = presets.load()["wan22_14b_i2v"].defaults["model.name_or_path"]
    assert default == form._fields["base_model"].control.placeholder
    assert "" == form._take.layout.display
    click(form._take)
    assert "" == form.value.base_model
    assert "not used here" not in model.note.value
    assert "none" == form._take.layout.display
    edit(form, "arch", START.arch)
    assert 77 == form.value.steps
    form.close()


@pytest.mark.parametrize(
    "archs",
    [
        sorted({OTHER.arch, *[*presets.load()][::8]}),
        pytest.param([*presets.load()], marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_taking_the_models_values_leaves_none_of_the_one_before(archs: list[str]) -> None:
    """Whatever the fields of the architecture held before."""
    for arch in archs:
        form = TrainingForm(OTHER)
        edit(form, "arch", arch)
        click(form._take)

        assert {} == form._offered(), arch
        own = texts_of(TrainingParams(name="x", dataset="x", arch=arch, base_model="x"))
        held = {name: form._fields[name].control.value for name in ("optimizer", "quantize", "ema")}
        assert held == {name: own[name] for name in held}, arch
        assert (form._fields["base_model"].control.value == "") == (arch != OTHER.arch)
        form.close()


def test_the_servers_datasets_and_gpus_are_chosen_from_lists() -> None:
    """What the start names is among them, and is told to be unknown where the server lacks it."""
    gpus = (Gpu(0, "RTX <4090>", 24_576, 2_048), Gpu(1, "A6000", 49_152, 0))
    form = TrainingForm(START, datasets=("birds", "dogs"), gpus=gpus)
    dataset, gpu = (form._fields[name].control for name in ("dataset", "gpu_ids"))

    assert START == form.value
    assert ("cats (unknown to the server)", "cats") == dataset.options[0]
    assert ["", "0", "1"] == [value for _, value in gpu.options]
    assert "GPU 0: RTX <4090>, 22.0 GiB free" == gpu.options[1][0]
    edit(form, "dataset", "dogs")
    edit(form, "gpu_ids", "1")
    assert ("dogs", "1") == (form.value.dataset, form.value.gpu_ids)
    form.close()


def test_resolutions_are_checked_in_boxes_or_typed() -> None:
    """Each follows the other; what is no usual size is only typed, and stays."""
    form = TrainingForm(START)
    boxes = {box.description: box for box in form._sizes._boxes}
    assert ["512", "768", "1024"] == [size for size, box in boxes.items() if box.value]
    edit(form, "resolution", "640, 1024")
    assert ["1024"] == [size for size, box in boxes.items() if box.value]
    send(boxes["512"], value=True)
    assert (512, 640, 1024) == form.value.resolution
    send(boxes["1024"], value=False)
    assert (512, 640) == form.value.resolution
    assert ("resolution",) == form.edited
    edit(form, "resolution", "512x")
    assert not [size for size, box in boxes.items() if box.value]
    form.close()


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
    click(panel.toggle)
    for at, (title, face) in enumerate(FORMATS.items()):
        send(panel._format, index=at)
        assert title == panel._format.value
        assert html.escape(face(form.value)) in panel._text.value
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
    assert "a [trigger], smiling\n&lt;b&gt;bold" in bundle["text/html"]
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
        "from aitk_nb.views.forms.form import RunningCell\n"
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
    assert "Nothing was done. Correct Steps first." in form._found.value
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
    assert "Nothing was done. Correct Steps first." in form._found.value
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
    given, form = code[0], next(cell for cell in code if "TrainingForm.of(" in cell)
    setting = (
        "import types\nimport aitk_nb\nfrom aitk_nb.views import TrainingForm\n"
        "from aitk_nb.training.job_config import draft\n"
        "sent = types.SimpleNamespace(name='cats', images=())\n"
        "jobs = types.SimpleNamespace(preflight=print, start=print)\n"
        "datasets = types.SimpleNamespace(list=lambda: ('cats', 'dogs'))\n"
        "client = types.SimpleNamespace(jobs=jobs, datasets=datasets, can=lambda _: False)"
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
