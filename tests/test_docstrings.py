"""The docstrings of the public names: complete, and with examples that run."""

from __future__ import annotations

import doctest
import enum
import getpass
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import platformdirs
import pytest
from ipywidgets import Widget

import aitk_nb
from aitk_nb import demo, views

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@cache
def modules() -> tuple[ModuleType, ...]:
    """Return the modules that a user's calls may go to: all except the demo and the commands."""
    names = (found.name for found in pkgutil.walk_packages(aitk_nb.__path__, "aitk_nb."))
    kept = [name for name in names if name.split(".")[1] not in {"demo", "cli"}]
    return (aitk_nb, *(importlib.import_module(name) for name in kept))


def exported() -> list[Any]:
    """Return what the two lists of public names have."""
    both = {id(value): value for home in (aitk_nb, views) for value in exports(home)}
    return list(both.values())


def exports(home: ModuleType) -> Iterator[Any]:
    """Yield what a package exports."""
    return (getattr(home, name) for name in home.__all__)


@cache
def public() -> tuple[Any, ...]:
    """Return what is exported, and every class of ours that one gets from it."""
    by_name = {
        name: value
        for module in modules()
        for name, value in list(vars(module).items())
        if inspect.isclass(value) and value.__module__.startswith("aitk_nb")
    }
    found: dict[int, Any] = {}
    left = exported()
    while left:
        value = left.pop(0)
        if id(value) in found:
            continue
        found[id(value)] = value
        # Not what stands after a dot: it is a name of another module.
        words = {w for text in annotations(value) for w in re.findall(r"(?<![\w.])[A-Z]\w*", text)}
        # A module that imports a name for type checkers only does not have it.
        here = by_name | vars(sys.modules[value.__module__])
        left += [here[word] for word in sorted(words & set(by_name)) if inspect.isclass(here[word])]
    return tuple(found.values())


def annotations(value: Any) -> Iterator[str]:
    """Yield the types of what a function returns, or of what a class has and its methods return."""
    if not inspect.isclass(value):
        yield _named(value.__annotations__.get("return", ""))
        return
    for _name, function in members(value):
        yield _named(function.__annotations__.get("return", ""))
    for base in ours(value):
        fields = vars(base).get("__annotations__", {}).items()
        yield from (_named(kind) for name, kind in fields if name[0] != "_")


def _named(annotation: Any) -> str:
    """Return an annotation as its module writes it: without the modules of names."""
    if isinstance(annotation, str):
        return annotation
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", inspect.formatannotation(annotation))


def ours(cls: type) -> list[type]:
    """Return the class and those of its bases that are ours."""
    return [base for base in cls.__mro__ if base.__module__.startswith("aitk_nb")]


def members(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public functions of a class, also those behind a property."""
    for base in ours(cls):
        for name, value in list(vars(base).items()):
            function = getattr(value, "fget", None) or getattr(value, "func", value)
            function = getattr(function, "__func__", function)
            if name[0] != "_" and inspect.isfunction(function):
                yield f"{base.__qualname__}.{name}", function


def functions() -> dict[str, Callable[..., Any]]:
    """Return the public functions and methods by name."""
    found = {}
    for value in public():
        if inspect.isclass(value):
            found.update(members(value))
        else:
            found[value.__qualname__] = value
    return found


def attributes() -> set[str]:
    """Return the names of properties, which are described as what they are."""
    return {
        f"{base.__qualname__}.{name}"
        for cls in public()
        if inspect.isclass(cls)
        for base in ours(cls)
        for name, value in vars(base).items()
        if hasattr(value, "fget") or hasattr(value, "func")
    }


def sections(text: str) -> dict[str, str]:
    """Return the sections of a docstring by title; what comes before them has no title."""
    parts = re.split(r"^(Args|Returns|Yields|Raises|Example):\n", text, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def undocumented(function: Callable[..., Any], text: str) -> list[str]:
    """Return the parameters that a docstring does not explain."""
    names = [name for name in inspect.signature(function).parameters if name not in {"self", "cls"}]
    parts = sections(text)
    told = set(re.findall(r"^    \*{0,2}(\w+): ", parts.get("Args", ""), re.MULTILINE))
    if len(names) == 1 and f"`{names[0]}`" in parts[""].partition("\n\n")[0]:
        told.add(names[0])
    return [name for name in names if name not in told]


def test_every_public_name_has_a_docstring() -> None:
    """Classes, functions, methods and properties."""
    named = {value.__qualname__: value for value in public()} | functions()
    assert [name for name, value in named.items() if not value.__doc__] == []


def test_every_parameter_is_documented() -> None:
    """Under Args; where there is only one, the summary may name it."""
    found = {
        name: undocumented(function, inspect.getdoc(function) or "")
        for name, function in functions().items()
    }
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_every_parameter_of_a_class_is_documented() -> None:
    """In its docstring or that of its constructor; the fields of a dataclass have their own."""
    found = {}
    for cls in public():
        if not inspect.isclass(cls) or issubclass(cls, BaseException | enum.Enum):
            continue
        init = vars(cls).get("__init__")
        if inspect.isfunction(init) and init.__code__.co_filename.endswith(".py"):
            texts = (inspect.getdoc(cls) or "", init.__doc__ and inspect.cleandoc(init.__doc__))
            missing = [set(undocumented(init, text or "")) for text in texts]
            found[cls.__qualname__] = sorted(set.intersection(*missing))
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_every_result_is_documented() -> None:
    """Under Returns, or by a summary that begins with the word."""
    bare = []
    for name, function in functions().items():
        text = inspect.getdoc(function) or ""
        silent = function.__annotations__.get("return") in {None, NoReturn, "None", "NoReturn"}
        told = re.match(r"Return|Yield", text) or {"Returns", "Yields"} & set(sections(text))
        if name not in attributes() and not silent and not told:
            bare.append(name)
    assert bare == []


def test_every_exported_name_has_an_example(client: aitk_nb.AIToolkitClient) -> None:
    """As has what hangs on a client."""
    parts = [type(client.jobs), type(client.datasets), type(client.settings), type(client.loras)]
    bare = [
        value.__qualname__
        for value in exported() + parts
        if ">>> " not in sections(inspect.getdoc(value) or "").get("Example", "")
    ]
    assert [] == bare


@cache
def examples() -> dict[str, doctest.DocTest]:
    """Return the docstrings with examples, by the place where they stand."""
    find = doctest.DocTestFinder().find
    found = (test for module in modules() for test in find(module, globs={}) if test.examples)
    return {test.name: test for test in found}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client of an embedded server on which nothing else has happened."""
    folder = tmp_path_factory.mktemp("server")
    with demo.start(folder) as server, aitk_nb.connect(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the example photos, which are not those in the user's own cache."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platformdirs, "user_cache_path", lambda *_args, **_options: cache)
        yield aitk_nb.example_photos()


@pytest.fixture(scope="module")
def names(client: aitk_nb.AIToolkitClient, photos: Path) -> dict[str, Any]:
    """What every example may use; the job has completed."""
    job = aitk_nb.example_job(client, "cat", steps=20)
    job.wait(every=0.1)
    return {"aitk_nb": aitk_nb, "client": client, "job": job, "photos": photos}


@pytest.mark.parametrize("name", sorted(examples()))
def test_the_example_runs(
    name: str, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder, with a server that AITK_URL names and somebody who types a token."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AITK_URL", names["client"].url)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: "typed token")
    example, used, said = examples()[name], dict(names), []
    assert "+SKIP" not in (example.docstring or "")
    example.globs = used
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    try:
        runner.run(example, out=said.append, clear_globs=False)
    finally:
        Widget.close_all()
        if used["client"] is not names["client"]:
            used["client"].close()
    assert runner.failures == 0, "".join(said)
