"""What is shipped: the metadata files agree with each other, and the wheel is whole."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
DEPENDENCIES = [
    Requirement(line)
    for line in [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
]

REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|yarnpkg\.com|repo\.anaconda\.com"
    r"|--(extra-)?index-url\b|--find-links\b|PIP_(EXTRA_)?INDEX_URL|/simple/",
    re.IGNORECASE,
)
"""Where packages come from is for the machine's own configuration to say."""


def pins() -> dict[str, str]:
    """Return the versions of constraints.txt by canonical name."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def files_of_the_project() -> list[Path]:
    """Return every file that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    paths = {ROOT / name.decode() for name in listed.split(b"\0") if name}
    return sorted(path for path in paths if path.is_file())


def test_the_extras_have_the_promised_names() -> None:
    """Users may rely on these names."""
    named = {"gradio", "keyring", "hub", "lab", "dask", "test", "browser", "dev", "docs"}
    assert named == set(EXTRAS)


def test_conda_installs_what_pyproject_says_and_lists_nothing_twice() -> None:
    """environment.yml has Python, pip and this project; every other name is in pyproject alone."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    *conda, from_pip = environment["dependencies"]
    required = {Requirement(line).name: Requirement(line).specifier for line in conda}

    assert environment["name"] == "aitk-nb"
    assert {"python": SpecifierSet(PROJECT["requires-python"]), "pip": SpecifierSet()} == required
    assert from_pip == {"pip": ["-e .[lab]"]}


def test_constraints_are_names_and_versions_only() -> None:
    """No address, hash, marker or option, in order, and no name twice."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    entries = [line for line in lines if not line.startswith("#")]

    assert not [line for line in entries if not re.fullmatch(r"[\w.-]+==[\w.!]+", line)]
    assert len(entries) == len(pins())


@pytest.mark.parametrize("requirement", DEPENDENCIES, ids=str)
def test_constraints_cover_every_dependency(requirement: Requirement) -> None:
    """Each dependency, those of the extras included, is pinned to a version that it allows."""
    if canonicalize_name(requirement.name) == PROJECT["name"]:
        assert requirement.extras <= set(EXTRAS)
        return
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_no_file_says_where_packages_come_from() -> None:
    """No registry's host and no index option stands in any file."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files_of_the_project()
        if path != Path(__file__)
        for match in REGISTRY.finditer(path.read_bytes().decode("utf-8", "replace"))
    ]

    assert not found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel of this checkout, built without network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.Path(built)


def names_in(wheel: zipfile.Path) -> set[str]:
    """Return the names of the files in `wheel`."""
    return {name for name in wheel.root.namelist() if not name.endswith("/")}


def test_the_wheel_has_the_whole_package_and_the_notebooks(wheel: zipfile.Path) -> None:
    """Modules, py.typed, data files and notebooks are in it; the command is declared."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in files_of_the_project()
        if path.is_relative_to(ROOT / "aitk_nb")
    }
    notebooks = {
        f"aitk_nb/_notebooks/{path.name}"
        for path in files_of_the_project()
        if path.is_relative_to(ROOT / "notebooks") and path.suffix == ".ipynb"
    }
    entry_points = next(name for name in names_in(wheel) if name.endswith("/entry_points.txt"))

    assert "aitk_nb/py.typed" in package
    assert notebooks
    assert package | notebooks <= names_in(wheel)
    assert "aitk-nb = aitk_nb.cli:main" in (wheel / entry_points).read_text("utf-8")


def test_the_wheel_has_nothing_else(wheel: zipfile.Path) -> None:
    """One top-level package and its metadata: no tests, no second name to import."""
    metadata = f"aitk_nb-{PROJECT['version']}.dist-info"

    assert {"aitk_nb", metadata} == {name.split("/")[0] for name in names_in(wheel)}
    assert not [name for name in names_in(wheel) if "test" in name or "ipynb_checkpoints" in name]
