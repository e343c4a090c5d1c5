"""`aitk-nb run` types parameters by the notebook's own cell, and refuses what it does not have."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.models import Parameter

from aitk_nb.errors import BadInput
from aitk_nb.notebooks.parameters import _assigned, signature, typed
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
        "learning_rates": "list[float]",
        "flags": "List[bool]",
        "more": "dict",
        "seed": "int | None",
        "note": "Optional[str]",
        "folder": "Path",
        "bare": "list",
        "free": "None",
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
        ("steps=0512", 512),
        ("sizes=0512", [512]),
        ("sizes=[0512, 768]", [512, 768]),
        ("sizes=", []),
        ("learning_rates=[1e-4, 1e-3]", [0.0001, 0.001]),
        ("learning_rates=1e-4,1e-3", [0.0001, 0.001]),
        ("flags=yes,no", [True, False]),
        ("prompts=a cat, a dog", ["a cat, a dog"]),
        ('prompts=["a cat, a dog", "b"]', ["a cat, a dog", "b"]),
        ("prompts=[trigger] on a beach", ["[trigger] on a beach"]),
        ("prompts=[trigger], [other]", ["[trigger], [other]"]),
        ("prompts=*star", ["*star"]),
        ("prompts=2024-01-01", ["2024-01-01"]),
        ("prompts=", []),
        ("prompts=[]", []),
        ("prompts=- &a", ["- &a"]),
        ("prompts=" + "[" * 5000, ["[" * 5000]),
        ("seed=7", 7),
        ("seed=None", None),
        ("seed=", None),
        ("note=a: b", "a: b"),
        ("note=null", None),
        ("folder=2024", "2024"),
        ("bare=[a, 2]", ["a", 2]),
        ("bare=a", ["a"]),
        ("free=[1, 2]", [1, 2]),
    ],
)
def test_a_value_has_the_type_of_its_parameter(text: str, value: object) -> None:
    """What papermill would guess from the text is told by the parameters cell instead."""
    assert {text.partition("=")[0]: value} == typed([text], KNOWN)


def test_a_list_is_given_by_repetition() -> None:
    """Each text is an item, or a list of them in JSON."""
    texts = ["prompts=a, b", "prompts=c", 'prompts=["d", "e"]', "sizes=512", "sizes=768,1024"]
    assert typed(texts, KNOWN) == {
        "prompts": ["a, b", "c", "d", "e"],
        "sizes": [512, 768, 1024],
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sizes=big", "'big' should be a valid integer"),
        ("sizes=512,wide", "'wide' should be a valid integer"),
        ("sizes=[1.5]", "1.5 should be a valid integer"),
        ("learning_rates=[NaN]", "should be a finite number"),
        ("prompts=[null]", "None should be a valid string"),
        ("steps=", "'' should be a valid integer"),
        ("steps=" + "9" * 5000, "integer"),
        ("rate=nan", "finite"),
        ("more=5", "5 should be a valid dictionary"),
        ("more={a", "invalid YAML"),
        ("free=*star", "invalid YAML"),
        ("name=\udcff", "surrogates"),
        ("flag=", "valid boolean"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, why: str) -> None:
    """One sentence that names the parameter."""
    with pytest.raises(BadInput, match=r"\AInvalid parameters\. .*\.\Z") as refusal:
        typed([text], KNOWN)
    assert f"{text.partition('=')[0]}: " in str(refusal.value)
    assert why in str(refusal.value)


def test_all_wrong_parameters_are_named_at_once() -> None:
    """Unknown names, wrong types and a missing equals sign, in one sentence."""
    with pytest.raises(
        BadInput, match=r"stpes: .*'steps'.*rate: 'x' should be a valid number.*flag: 'maybe'"
    ):
        typed(["stpes=3", "rate=x", "flag=maybe", "steps"], KNOWN)


TYPES = {
    "str": str,
    "Path": str,
    "int": int,
    "float": float,
    "bool": bool,
    "dict": dict,
    "int | None": int | None,
    "Optional[str]": str | None,
}


@given(
    st.lists(st.text(max_size=30), max_size=2),
    st.lists(
        st.builds(
            "{}={}".format,
            st.sampled_from(sorted(KNOWN)),
            st.text(st.characters(), max_size=30)
            | st.text("[]{}\"',:&*!-.019eE\n#|> ", max_size=20),
        ),
        max_size=4,
    ),
)
def test_any_text_is_typed_or_refused(others: list[str], texts: list[str]) -> None:
    """Nothing but values of their types, or one clear refusal, comes of it."""
    for given_texts in (texts, [*others, *texts]):
        try:
            values = typed(given_texts, KNOWN)
        except BadInput:
            continue
        for name, value in values.items():
            kind = KNOWN[name].inferred_type_name
            if kind.lower().startswith("list"):
                item = TYPES.get(kind[5:-1], object)
                assert isinstance(value, list)
                assert all(isinstance(one, item) for one in value)
            else:
                assert isinstance(value, TYPES.get(kind, object))


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


def test_the_signature_is_read_as_python() -> None:
    """Unions, texts with a comment's sign, lists over lines, and comments that name a type."""
    source = (
        "seed: int | None = None  # Seed; None: random\n"
        "rates: typing.List[float] = [\n    1e-4,  # low\n    1e-3,\n]  # Rates\n"
        "name: str = 'a # b = c'  # Its näme\n"
        "old = 3  # type: int  Years\n"
        "free = {}\n"
    )
    assert [
        ("seed", "int | None", "None", "Seed; None: random"),
        ("rates", "typing.List[float]", "[\n    1e-4,  # low\n    1e-3,\n]", "Rates"),
        ("name", "str", "'a # b = c'", "Its näme"),
        ("old", "int", "3", "Years"),
        ("free", "None", "{}", ""),
    ] == list(_assigned(source))
    known = {entry[0]: Parameter(*entry) for entry in _assigned(source)}
    assert typed(["seed=3", "rates=1e-5"], known) == {"seed": 3, "rates": [1e-5]}


def test_a_cell_with_magics_has_a_signature(notebook: Path) -> None:
    """It is no Python, and read by papermill."""
    node = nbformat.read(notebook, as_version=4)
    node.cells[0].source = "%matplotlib inline\nsteps: int = 1  # How many"
    nbformat.write(node, notebook)
    assert signature(notebook)["steps"].inferred_type_name == "int"


def test_it_runs_with_this_python_whatever_jupyter_finds(notebook: Path, tmp_path: Path) -> None:
    """A kernel of another environment is told before the run, and not started."""
    other = str(tmp_path / "other" / "bin" / "python")
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [other, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    about = {"argv": argv, "display_name": "Other", "language": "python"}
    spec.write_text(json.dumps(about), encoding="utf-8")
    node = nbformat.read(notebook, as_version=4)
    node.cells[1].source = node.cells[1].source.replace("'name': name", "'name': sys.executable")
    node.cells[1].source = "import sys\n" + node.cells[1].source
    nbformat.write(node, notebook)

    env = {"JUPYTER_PATH": str(tmp_path / "jupyter"), "JUPYTER_PREFER_ENV_PATH": "0"}
    done = run("run", notebook, notebook.with_name("out.ipynb"), "--json", env=env)

    assert done.json["result"]["name"] == sys.executable
    assert f"Jupyter's kernel is that of {other}; this runs with {sys.executable}" in done.err


def test_an_unknown_name_runs_nothing(notebook: Path) -> None:
    """It is refused with the nearest name, exit code 2, and no output file."""
    out = notebook.with_name("out.ipynb")
    done = run("run", notebook, out, "-p", "stpes=7", code=2)

    assert "did you mean 'steps'" in done.err
    assert not out.exists()


def test_it_tells_the_parameters_of_a_shipped_notebook() -> None:
    """By its bare name: name, type, default and help of each."""
    done = run("run", "04_train", "--help-notebook")

    assert "steps: int = 400  Optimizer steps; " in done.out


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"cells": []}', "\x00\xff"])
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str) -> None:
    """Whatever is in the file, the failure is one sentence of ours."""
    path = tmp_path / "broken.ipynb"
    path.write_text(content, encoding="latin-1")

    with pytest.raises(BadInput):
        signature(path)
