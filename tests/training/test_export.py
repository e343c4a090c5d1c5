"""One value, five faces: every field is in each, and each gives the value back."""

from __future__ import annotations

import ast
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.cli import app
from aitk_nb.notebooks.parameters import signature
from aitk_nb.notebooks.run import find
from aitk_nb.training import presets
from aitk_nb.training.export import FORMATS, command_line, parameters_cell
from aitk_nb.training.fields import preset_fields, schema
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.plan import plan
from aitk_nb.views import TrainingForm
from aitk_nb.views.forms.training_fields import GROUPS
from tests.cli.command import run
from tests.training.test_job_config import CHANGES, GROUND

OPTIONS = {
    flag: option.name
    for option in typer.main.get_command(app).commands["train"].params  # type: ignore[attr-defined]
    for flag in option.opts
}


def params(**fields: Any) -> TrainingParams:
    """Return parameters with these fields."""
    return TrainingParams(**{"name": "cat", "dataset": "cats", **fields})


def from_cell(cell: str) -> TrainingParams:
    """Return what a notebook makes of a parameters cell."""
    names: dict[str, object] = {}
    exec(cell, names)
    return TrainingParams.from_names(names)


def from_command(line: str) -> dict[str, list[str]]:
    """Return the words of a command line by field."""
    found: dict[str, list[str]] = {}
    for word in shlex.split(line.replace("\\\n", " "))[2:]:
        flag, _, value = word.partition("=")
        found.setdefault(str(OPTIONS[flag]), []).append(value or "True")
    return found


@pytest.mark.parametrize("field", TrainingParams.model_fields)
def test_every_field_has_all_its_faces(field: str) -> None:
    """Form, parameters cell, command line, help, job config and back, requests, and schema.

    Nothing but its declaration says so: each of them is built from `Fields`.
    """
    ground = GROUND.get(field, {})
    changed = params(**ground, **{field: {**CHANGES, "name": "dog", "gpu_ids": "1"}[field]})
    before, entry = params(**ground), schema()[field]
    form = TrainingForm(changed)

    assert changed == form.value
    assert field in GROUPS[entry["group"]]
    assert f"\n{field}: " in "\n" + parameters_cell(changed)
    assert changed == from_cell(parameters_cell(changed))
    assert f"--{field.replace('_', '-')}" in OPTIONS
    assert field in from_command(command_line(changed))
    assert draft(changed) != draft(before)
    back = TrainingParams.from_config(draft(changed).config)
    assert field in {"gpu_ids", "extra"} or getattr(changed, field) == getattr(back, field)
    assert len({write(changed) for write in FORMATS.values()}) == len(FORMATS)
    assert all(write(changed) != write(before) for write in FORMATS.values()) or field == "gpu_ids"
    assert entry["description"] in parameters_cell(changed)
    assert ": " in entry["source"]
    form.close()


OWN = {
    name for arch in presets.load() for name in preset_fields(arch) if not schema()[name]["per_job"]
} - {
    *("rank", "alpha", "learning_rate", "caption_dropout"),  # which the example chooses for itself
}
"""Fields that belong to the architecture: a line in a notebook would go before the preset."""


def test_the_shipped_notebook_has_the_lines_of_the_fields() -> None:
    """Name, type and help of each, as they are generated; the dataset may be left empty there."""
    (book,) = (path for path in find() if path.stem == "04_train")
    shipped = signature(book)
    generated = {
        name: (line.partition(" = ")[0].partition(": ")[2], line.partition("  # ")[2])
        for line in parameters_cell(params()).splitlines()
        for name in [line.partition(":")[0]]
    }

    assert generated.keys() - OWN == shipped.keys() - {"url", "out"}
    for name in generated.keys() - OWN - {"dataset"}:
        assert generated[name] == (shipped[name].inferred_type_name, shipped[name].help)


@pytest.mark.parametrize("face", ["cell", "yaml", "json", "config", "command", "curl", "python"])
def test_each_face_can_be_printed(face: str, tmp_path: Path) -> None:
    """By a command that asks no server; remarks go to stderr."""
    given = ["--name", "cat", "--dataset", "cats", "--rank", "8", "--alpha", "9", "--steps", "600"]
    ran = run("params", *given, "--format", face, env={"AITK_URL": "http://127.0.0.1:9"})
    meant = params(rank=8, alpha=9, steps=600)

    assert "note: alpha: it has no effect on flex1: alpha is always the rank there" in ran.err
    if face in {"yaml", "json"}:
        file = tmp_path / f"job.{face}"
        file.write_text(ran.out, encoding="utf-8")
        assert meant == TrainingParams.from_file(file)
    elif face == "cell":
        assert meant == from_cell(ran.out)
    else:
        titles = {"config": "Job config", "command": "Command line"}
        titles |= {"curl": "Requests with curl", "python": "Requests in Python"}
        assert FORMATS[titles[face]](meant) == ran.out


def test_lists_are_repeated_or_json() -> None:
    """A prompt keeps its commas and brackets; numbers may stand in one text."""
    given = ["params", "--name", "cat", "--dataset", "cats", "--format", "json"]
    prompts = ["[trigger], at sea", "*star", '["a", "b, c"]', ""]
    ran = run(*given, *(f"--prompts={text}" for text in prompts), "--resolution", "512,0768")

    config = json.loads(ran.out)["config"]["process"][0]
    shown = [sample["prompt"] for sample in config["sample"]["samples"]]
    assert shown == ["[trigger], at sea", "*star", "a", "b, c"]
    assert config["datasets"][0]["resolution"] == [512, 768]
    wide = run(*given, "--resolution", "512,wide", code=2)
    assert "resolution: 'wide' should be a valid integer" in wide.err


def test_a_prompt_that_looks_like_a_list_comes_back() -> None:
    """From the command that is shown for it."""
    meant = params(prompts=['["a"]', "", "x, y"])
    written = command_line(meant)

    assert '\'--prompts=["[\\"a\\"]"]\'' in written
    words = shlex.split(written.replace("\\\n", " "))
    ran = run("params", *words[2:], "--format", "json")
    assert TrainingParams.from_config(json.loads(ran.out)).prompts == meant.prompts


def test_all_that_is_wrong_on_a_command_line_is_said_at_once() -> None:
    """With the values and what is allowed."""
    given = ["--name", "cat", "--dataset", "cats", "--steps", "many", "--rank", "0", "--lr", "x"]
    ran = run("params", *given, code=2)

    assert "steps: 'many' should be a valid integer" in ran.err
    assert "rank: '0' should be greater than or equal to 1" in ran.err
    assert "learning_rate: 'x' should be a valid number" in ran.err
    assert "" == ran.out


_text = st.text(max_size=8).filter(lambda text: "${" not in text)


@given(_text, st.lists(_text, max_size=3), st.floats(1e-9, 9), st.booleans())
def test_the_cell_gives_the_value_back(
    word: str, prompts: list[str], rate: float, low_vram: bool
) -> None:
    """Whatever the texts hold: quotes, line ends, and what no file can."""
    value = params(trigger_word=word, prompts=prompts, learning_rate=rate, low_vram=low_vram)
    cell = parameters_cell(value)

    assert value == from_cell(cell)
    assert all(isinstance(node, ast.AnnAssign) for node in ast.parse(cell).body)
    assert len(TrainingParams.model_fields) == len(cell.splitlines())


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8))
def test_the_command_keeps_texts_whole(text: str) -> None:
    """The shell takes nothing out of them, and a dash at the beginning is no option."""
    if "${" in text or not text:
        return
    assert {
        "name": ["cat"],
        "dataset": ["cats"],
        "arch": ["flex1"],
        "prompts": ["-", text],
    } == from_command(command_line(params(prompts=["-", text])))


def test_the_command_says_what_differs_from_the_preset() -> None:
    """An architecture's own values need no option, and others do."""
    said = from_command(command_line(params(arch="flux_kontext")))
    assert {"name", "dataset", "arch"} == said.keys()
    said = from_command(command_line(params(arch="flux_kontext", timestep_type="sigmoid")))
    assert ["sigmoid"] == said["timestep_type"]


def test_the_config_is_the_one_that_is_posted() -> None:
    """As JSON."""
    assert draft(params()).config == json.loads(FORMATS["Job config"](params()))


@pytest.mark.parametrize("title", FORMATS)
def test_no_face_has_a_token(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts name the variable, whether it is set or not."""
    monkeypatch.setenv("AITK_TOKEN", "a-secret-token")
    text = FORMATS[title](params())
    assert "a-secret-token" not in text
    assert ("AITK_TOKEN" in text) == title.startswith("Requests")


def test_a_plan_in_figures() -> None:
    """An epoch shows each image at each resolution; gradients of several batches make a step."""
    value = params(
        steps=1000, batch_size=2, gradient_accumulation=2, resolution=[512, 768], save_every=100
    )
    found = plan(value, {"cats": [(800, 800)] * 20}, checkpoint_size=50_000_000)

    assert ((10, 10), (100, 100)) == (found.epoch, found.epochs)
    assert (5, 250_000_000) == (found.checkpoints, found.disk)
    schedule = "1,000 steps · 10 steps per epoch · 100 epochs"
    assert f"{schedule} · 4 checkpoints and the LoRA kept · about 250 MB" == str(found)


def test_without_the_sizes_of_the_images_a_plan_has_limits() -> None:
    """In the best case all are in one bucket, in the worst each has its own."""
    value = params(steps=1000, batch_size=2, gradient_accumulation=2, resolution=[512, 768])
    found = plan(value, {"cats": 20})
    assert ((10, 20), (50, 100)) == (found.epoch, found.epochs)
    assert "10 to 20 steps per epoch · 50 to 100 epochs · the sizes of the images decide" in str(
        found
    )


def test_what_is_not_known_is_not_invented() -> None:
    """Neither epochs without the number of images, nor bytes without a checkpoint."""
    found = plan(params(steps=10))
    assert (10, None, None, 1, None) == (
        found.steps,
        found.epoch,
        found.epochs,
        found.checkpoints,
        found.disk,
    )
    assert str(found).count("unknown") == 2
    assert plan(params(), {"cats": 0}).epochs is None


@pytest.mark.parametrize("title", ["Requests with curl", "Requests in Python"])
def test_requests_say_what_they_leave_out(title: str) -> None:
    """What only `client.jobs.start` looks up; else the server would train from nothing unsaid."""
    plain = TrainingParams(name="cat", dataset="cats")
    warm = TrainingParams(name="cat", dataset="cats", init_lora="dog@200", validation="held_out")

    assert "train without" not in FORMATS[title](plain)
    assert FORMATS[title](warm).startswith("# These requests train without init_lora and valid")
