"""`aitk-nb run` types parameters by the notebook's own cell, and refuses what it does not have."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.models import Parameter

from aitk_nb.errors import BadInput
from aitk_nb.notebooks.parameters import signature, typed
from tests.cli.command import run

KNOWN = {
    name: Parameter(name, kind, "", "")
    for name, kind in {
        "name": "str",
        "steps": "int",
        "rate": "float",
        "flag": "bool",
        "sizes": "list[int]",
        "prompts": "list[str]",
        "more": "dict",
    }.items()
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name=2024", "2024"),
        ("name=a=b", "a=b"),
        ("steps=500", 500),
        ("rate=1e-4", 1e-4),
        ("flag=true", True),
        ("flag=False", False),
        ("sizes=512,768", [512, 768]),
        ("sizes=[512]", [512]),
        ("prompts=a cat", ["a cat"]),
        ("prompts=2024", ["2024"]),
        ("more={a: 1}", {"a": 1}),
    ],
)
def test_a_value_has_the_type_of_its_parameter(text: str, value: object) -> None:
    """What papermill would guess from the text is told by the parameters cell instead."""
    assert {text.partition("=")[0]: value} == typed([text], KNOWN)


def test_all_wrong_parameters_are_named_at_once() -> None:
    """Unknown names, wrong types and a missing equals sign, in one sentence."""
    with pytest.raises(
        BadInput, match=r"stpes: .*'steps'.*rate: 'x' should be a valid number.*flag: 'maybe'"
    ):
        typed(["stpes=3", "rate=x", "flag=maybe", "steps"], KNOWN)


@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_text_is_typed_or_refused(texts: list[str]) -> None:
    """Nothing but values or one clear refusal comes of it."""
    try:
        values = typed(texts, KNOWN)
    except BadInput:
        return
    assert set(values) <= set(KNOWN)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A notebook that shows its parameters for machines."""
    node = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    first = nbformat.v4.new_code_cell("steps: int = 1  # How many\nname: str = 'x'  # Its name")
    first.metadata.tags = ["parameters"]
    show = (
        "from IPython.display import display\n"
        "display({'application/vnd.aitk.test+json': {'steps': steps, 'name': name}}, raw=True)"
    )
    node.cells = [first, nbformat.v4.new_code_cell(show)]
    path = tmp_path / "mine.ipynb"
    nbformat.write(node, path)
    return path


def test_it_runs_with_the_parameters_and_tells_the_result(notebook: Path) -> None:
    """One JSON document, and the executed notebook where it was wanted."""
    out = notebook.with_name("out.ipynb")
    done = run("run", notebook, out, "-p", "steps=7", "-p", "name=7", "--json")

    assert {"steps": 7, "name": "7"} == done.json["result"]
    assert "injected-parameters" in out.read_text(encoding="utf-8")


def test_an_unknown_name_runs_nothing(notebook: Path) -> None:
    """It is refused with the nearest name, exit code 2, and no output file."""
    out = notebook.with_name("out.ipynb")
    done = run("run", notebook, out, "-p", "stpes=7", code=2)

    assert "did you mean 'steps'" in done.err
    assert not out.exists()


def test_it_tells_the_parameters_of_a_shipped_notebook() -> None:
    """By its bare name: name, type, default and help of each."""
    done = run("run", "04_train", "--help-notebook")

    assert "steps: int = 400  Number of optimizer steps" in done.out


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"cells": []}', "\x00\xff"])
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str) -> None:
    """Whatever is in the file, the failure is one sentence of ours."""
    path = tmp_path / "broken.ipynb"
    path.write_text(content, encoding="latin-1")

    with pytest.raises(BadInput):
        signature(path)
