"""The documentation names every public name, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import resolve_name
from urllib.parse import unquote

import pytest

import aitk_nb
import aitk_nb.views
from aitk_nb import errors
from aitk_nb.datasets.api import Datasets
from aitk_nb.inference.api import Inference
from aitk_nb.jobs.api import Jobs
from aitk_nb.loras.api import Loras
from aitk_nb.server_settings import ServerSettings

ROOT = Path(__file__).parents[1]

DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "reference").glob("*.md"))


def described() -> list[str]:
    """Return the full names that the reference describes."""
    return [name for page in PAGES for name in re.findall(r"(?m)^::: (.+)$", page.read_text())]


def test_the_reference_has_every_public_name_once() -> None:
    """Those of the package, of its views and errors, and what a client's attributes are."""
    public = [
        getattr(package, name) for package in (aitk_nb, aitk_nb.views) for name in package.__all__
    ]
    public += [
        value
        for value in vars(errors).values()
        if getattr(value, "__module__", "") == errors.__name__
    ]
    public += [Datasets, Inference, Jobs, Loras, ServerSettings]
    found = [resolve_name(name) for name in described()]

    assert [value.__name__ for value in public if value not in found] == []
    assert len(found) == len(set(map(id, found)))


def test_the_navigation_has_every_page() -> None:
    """A page that is not in it would be built, and found by nobody."""
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert pages == set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))


@pytest.mark.parametrize(
    "file", re.findall(r"`(aitk_nb/[^`]+)`", (DOCS / "behavior.md").read_text())
)
def test_what_meets_a_behavior_is_there(file: str) -> None:
    """Each module that the page names."""
    assert (ROOT / file).is_file()


def test_links_lead_to_the_upstream_file_that_they_name() -> None:
    """On the default branch, with `api/` as the short form of its folder."""
    page = (DOCS / "behavior.md").read_text()
    links = re.findall(r"\[`([^`]+)`\]\(https://github.com/ostris/ai-toolkit/(\S+)\)", page)

    assert links
    for text, path in links:
        upstream = text.replace("api/", "ui/src/app/api/", 1) if text.startswith("api/") else text
        assert unquote(path).partition("main/")[2] == upstream.rstrip("/")


def test_comments_name_sections_of_the_page() -> None:
    """`docs/behavior.md#section`, wherever the code points there."""
    page = (DOCS / "behavior.md").read_text()
    sections = set(re.findall(r"\{ #(\S+) \}", page))
    named = {
        section
        for path in (ROOT / "aitk_nb").rglob("*.py")
        for section in re.findall(r"docs/behavior\.md#([\w-]+)", path.read_text("utf-8"))
    }
    assert named
    assert named <= sections
