"""Docstrings of public names: complete, and with examples that run."""

from __future__ import annotations

import asyncio
import doctest
import importlib
import inspect
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

import aitk_nb
import aitk_nb.views
from aitk_nb import demo, errors
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.backends.wire.http import Http
from aitk_nb.connection import secret
from aitk_nb.connection.connection import Connection
from aitk_nb.datasets.api import Datasets
from aitk_nb.jobs.api import Jobs
from aitk_nb.server_settings import ServerSettings

PUBLIC = {
    name: getattr(package, name)
    for package in (aitk_nb, aitk_nb.views, errors)
    for name in package.__all__
} | {cls.__name__: cls for cls in (Datasets, Jobs, ServerSettings)}


def modules() -> list[str]:
    """Return the names of all modules but those of the embedded servers."""
    found = pkgutil.walk_packages(aitk_nb.__path__, "aitk_nb.")
    left_out = ("aitk_nb.demo", "aitk_nb.cli.__main__")
    return ["aitk_nb", *(one.name for one in found if not one.name.startswith(left_out))]


def examples() -> dict[str, doctest.DocTest]:
    """Return the docstrings with examples, by the names of what they belong to."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = (finder.find(importlib.import_module(name), name) for name in modules())
    return {test.name: test for tests in found for test in tests if test.examples}


EXAMPLES = examples()


@pytest.fixture(scope="module")
def names(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What examples may use without making it: a client, a finished job, its parameters."""
    with demo.start(tmp_path_factory.mktemp("examples")) as server:
        backend = WebUI(Http(Connection(server.url)))
        client = aitk_nb.AIToolkitClient(backend)
        dataset = client.datasets.upload(photos, "photos")
        params = aitk_nb.TrainingParams(name="cat", dataset=dataset.name, steps=30)
        second = params.model_copy(update={"name": "cat_2", "learning_rate": 2e-4})
        job, other = client.jobs.start_all([params, second])
        other.wait()
        job.refresh()
        made = {"backend": backend, "client": client, "params": params, "job": job}
        yield {**PUBLIC, **made, "aitk_nb": aitk_nb, "asyncio": asyncio, "url": server.url}
        client.close()


@pytest.fixture
def place(
    tmp_path_factory: pytest.TempPathFactory, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A working folder with a dataset, and somebody who types a password."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(photos, folder / "photos")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(secret.getpass, "getpass", lambda _prompt: "typed")


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.usefixtures("place")
def test_an_example_gives_what_it_shows(name: str, names: dict[str, Any]) -> None:
    """Each docstring's, alone and in any order."""
    test = EXAMPLES[name]
    test.globs = {**names, **test.globs}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    said: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=flags).run(
        test, out=said.append, clear_globs=False
    )
    ipywidgets.Widget.close_all()

    assert not failed, "".join(said)
    assert tried == len(test.examples), "an example is skipped"


def calls(name: str) -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield a public function, or the public methods of a class that are of our making."""
    value = PUBLIC[name]
    if not inspect.isclass(value):
        yield name, value
        return
    for key, method in inspect.getmembers(value, callable):
        if not key.startswith("_") and getattr(method, "__module__", "").startswith("aitk_nb"):
            yield f"{name}.{key}", method


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_an_example(name: str) -> None:
    """In its own docstring."""
    assert ">>>" in (PUBLIC[name].__doc__ or "")


@pytest.mark.parametrize("name", PUBLIC)
def test_arguments_and_results_are_documented(name: str) -> None:
    """Each argument by its name, and the result where it is more than the first line says."""
    lacking = []
    for called, function in calls(name):
        said = inspect.getdoc(function) or ""
        signature = inspect.signature(function)
        taken = [one for one in signature.parameters if one not in {"self", "cls"}]
        lacking += [
            f"{called}: {one}" for one in taken if f"{one}:" not in said and f"`{one}`" not in said
        ]
        gives = signature.return_annotation not in {None, "None", inspect.Signature.empty}
        if gives and "Returns:" not in said and not said.startswith(("Return", "Yield")):
            lacking.append(f"{called}: its result")
    assert lacking == []
