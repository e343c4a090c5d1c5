"""The shipped notebooks follow the house style: same shape, short cells, nothing left behind."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from papermill.translators import PythonTranslator

from aitk_nb.notebooks.parameters import signature
from aitk_nb.notebooks.run import find

BOOKS = find()
PARAMETER = re.compile(r"^[a-z_]+: [A-Za-z\[\], ]+ = [^=]+  # [^=]+$")
IS_EXEMPT = re.compile(r"^(import aitk_nb$|# @title On Google Colab)", re.MULTILINE)
FORBIDDEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try)


@pytest.fixture(params=BOOKS, ids=lambda path: path.stem)
def book(request: pytest.FixtureRequest) -> Any:
    """Each shipped notebook."""
    return nbformat.read(request.param, as_version=4)


def code_cells(book: Any) -> list[Any]:
    """Return the code cells in order."""
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_it_begins_with_a_title_that_says_what_it_needs(book: Any) -> None:
    """The first cell is one H1 with a line of needs and time."""
    title = book.cells[0]

    assert "markdown" == title.cell_type
    assert title.source.startswith("# ")
    assert re.search(r"\*Needs: .*Takes: .*\*", title.source)


def test_it_ends_with_a_result_and_what_comes_next(book: Any) -> None:
    """The last heading says what comes next, and the one before it shows the result."""
    headings = [
        cell.source.splitlines()[0]
        for cell in book.cells
        if cell.cell_type == "markdown" and cell.source.startswith("##")
    ]

    assert ["## Result", "## Next"] == headings[-2:]


def test_its_parameters_are_readable_by_papermill(book: Any) -> None:
    """One tagged cell, the first one of code, of annotated literals with help, one `=` a line."""
    tagged = [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]

    assert [code_cells(book)[0]] == tagged
    lines = tagged[0].source.splitlines()
    for line in lines[lines[0].startswith("# @title ") :]:
        assert PARAMETER.match(line), line
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.AnnAssign)
        ast.literal_eval(statement.value)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_the_help_of_its_parameters_is_plain(path: Path) -> None:
    """What is for Colab's forms is not in it; papermill's own help reads on after it."""
    shown = signature(path)
    told = {parameter.name: parameter.help for parameter in PythonTranslator.inspect(cell_of(path))}

    assert list(shown) == list(told)
    for name, parameter in shown.items():
        assert parameter.help
        assert "@param" not in parameter.help
        assert told[name].startswith(parameter.help)


def cell_of(path: Path) -> Any:
    """Return the parameters cell of a notebook."""
    return code_cells(nbformat.read(path, as_version=4))[0]


def test_a_newcomer_fills_in_six_fields_at_most() -> None:
    """Those that Colab shows as a form, in the quick notebook."""
    lines = cell_of(BOOKS[0]).source.splitlines()

    assert lines[0].startswith("# @title ")
    assert 6 == len([line for line in lines if " # @param {" in line])


def test_the_cell_for_colab_acts_on_colab_alone() -> None:
    """It installs only there; here it has changed nothing and shown nothing."""
    (cell,) = (c for c in code_cells(nbformat.read(BOOKS[0], as_version=4)) if "pip" in c.source)
    before, acts, after = cell.source.partition("%pip")

    assert before.endswith('if "google.colab" in sys.modules:\n    ')
    assert acts
    assert [] == cell.outputs
    assert [] == [line for line in after.splitlines()[1:] if line and line[0] not in " i"]


def test_its_cells_are_short_and_plain(book: Any) -> None:
    """No cell but parameters, imports and Colab's has more than five lines, or any logic."""
    for cell in [cell for cell in code_cells(book)[1:] if not IS_EXEMPT.search(cell.source)]:
        tree = ast.parse(cell.source, mode="exec", type_comments=False)
        nodes = list(ast.walk(tree))

        assert len(cell.source.splitlines()) <= 5, cell.source
        assert not [node for node in nodes if isinstance(node, FORBIDDEN)], cell.source
        assert "print(" not in cell.source


def test_it_is_stored_as_it_ran(book: Any) -> None:
    """Every cell was executed, none failed, in order, and no widget state or attachment is kept."""
    counts = [cell.execution_count for cell in code_cells(book)]

    assert list(range(1, len(counts) + 1)) == counts
    assert "widgets" not in book.metadata
    assert "python3" == book.metadata.kernelspec.name
    for cell in book.cells:
        assert "attachments" not in cell
        assert not [o for o in cell.get("outputs", ()) if o.output_type in {"error", "stream"}]


def test_its_pictures_are_stored(book: Any) -> None:
    """A reader of the file sees them; nbval alone compares without."""
    pages = [
        "".join(output.data.get("text/html", ""))
        for cell in code_cells(book)
        for output in cell.outputs
        if "data" in output
    ]

    assert [] == re.findall(r"<img(?![^>]* src=)[^>]*>", "".join(pages))


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_it_is_small_and_says_nothing_of_its_machine(path: Path) -> None:
    """A stored notebook has under 300 kB, and neither a home folder nor a port in it."""
    text = path.read_text(encoding="utf-8")

    assert len(text) < 300_000
    assert not re.search(r"/home/|/root/|/tmp/|C:\\\\|127\.0\.0\.1:\d", text)
