"""What is written about the project is true: commands, notebooks, make targets and links exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from papermill import inspect_notebook

from aitk_nb.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "notebooks").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
)


def commands(command: Any, words: tuple[str, ...] = ()) -> set[str]:
    """Return the full names of all commands below `command` that its help shows."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return {" ".join(words)}
    shown = {name: sub for name, sub in inner.items() if not sub.hidden}
    return set().union(*(commands(sub, (*words, name)) for name, sub in shown.items()))


def rows(page: str, pattern: str) -> list[str]:
    """Return what `pattern` captures in the first cell of the table rows of `page`."""
    return re.findall(rf"^\| *{pattern} *\|", page, re.MULTILINE)


def targets() -> set[str]:
    """Return the targets that `make help` lists."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def test_every_command_is_in_the_table() -> None:
    """The table has one row for each command of the CLI, and no other."""
    described = rows(
        (ROOT / "docs" / "command-line.md").read_text("utf-8"), r"`aitk-nb ([a-z -]+)`"
    )

    assert commands(typer.main.get_command(app)) == set(described)
    assert len(set(described)) == len(described)


@pytest.mark.parametrize("page", ["README.md", "notebooks/README.md"])
def test_every_notebook_is_in_the_tables(page: str) -> None:
    """Both tables list the notebooks in reading order, each by its file name and a link to it."""
    table = rows((ROOT / page).read_text("utf-8"), r"\[(\w+)\]\((?:notebooks/)?\1\.ipynb\)")

    assert NOTEBOOKS
    assert [path.stem for path in NOTEBOOKS] == table


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_table_names_parameters_that_exist(notebook: Path) -> None:
    """What the column `parameters` mentions can be given to the notebook."""
    table = (ROOT / "notebooks" / "README.md").read_text("utf-8")
    row = next(line for line in table.splitlines() if f"]({notebook.name})" in line)
    mentioned = re.findall(r"`(\w+)`", row.split("|")[4])

    assert mentioned
    assert set(mentioned) <= set(inspect_notebook(str(notebook)))


def test_make_comes_first() -> None:
    """`make demo` and `make lab` stand before pip and conda, and above all pictures."""
    words = ("make demo", "make lab", "pip", "conda", "<picture>", "## Your own server")
    first = [README.index(one) for one in words]

    assert sorted(first) == first


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_make_targets_that_are_mentioned_exist(page: Path) -> None:
    """Nobody is told to run a target that the Makefile does not have."""
    mentioned = re.findall(r"(?:`|^|\d )make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)

    assert set(mentioned) <= targets()


def test_every_make_target_is_explained_to_contributors() -> None:
    """CONTRIBUTING.md has a row for each target but `help`."""
    described = rows((ROOT / "CONTRIBUTING.md").read_text("utf-8"), r"`make ([a-z-]+)`")

    assert targets() - {"help"} == set(described)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page exists."""
    text = page.read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    inner = [link.split("#")[0] for link in links if "://" not in link]

    assert not [link for link in inner if not (page.parent / link).exists()]
