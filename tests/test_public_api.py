"""The public names: written down, sorted and lazy; `test_docstrings` reads their docstrings."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import errors

HEAVY = ("pandas", "matplotlib", "ipywidgets", "papermill", "gradio_client", "IPython", "gradio")

ROOT = Path(aitk_nb.__file__).parent
LAZY = ["aitk_nb", *sorted(f"aitk_nb.{stub.parent.name}" for stub in ROOT.glob("*/__init__.pyi"))]

USE = """
import json, sys
import aitk_nb
aitk_nb.connect
aitk_nb.TrainingParams(name="cat", dataset="cats")
json.dump(sorted(sys.modules), sys.stdout)
"""


def test_public_names_are_sorted_and_real() -> None:
    """`__all__` is in order, and every name in it resolves although imports are lazy."""
    assert sorted(aitk_nb.__all__) == aitk_nb.__all__
    assert all(getattr(aitk_nb, name) is not None for name in aitk_nb.__all__)
    assert set(aitk_nb.__all__) <= set(dir(aitk_nb))


def test_a_public_name_is_the_one_at_its_home() -> None:
    """No second copy."""
    from aitk_nb.client import connect
    from aitk_nb.training.params import TrainingParams

    assert aitk_nb.connect is connect
    assert aitk_nb.TrainingParams is TrainingParams
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", aitk_nb.__version__)


@pytest.mark.parametrize("package", LAZY)
def test_everything_can_be_imported_at_once(package: str) -> None:
    """No name is hidden by a module of the same name, whatever is imported first."""
    check = f"""
from {package} import *
import {package} as package, types, aitk_nb.views.plots.contact_sheet
modules = [name for name in package.__all__ if isinstance(globals()[name], types.ModuleType)]
from aitk_nb.views import ContactSheet, contact_sheet
assert callable(contact_sheet) and not modules, modules
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60)
    assert (0, "") == (done.returncode, done.stderr)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        _ = aitk_nb.conect


def test_connecting_and_choosing_load_nothing_heavy() -> None:
    """In a process of its own, `connect` and `TrainingParams` are touched and used."""
    done = subprocess.run(
        [sys.executable, "-c", USE], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}

    assert not loaded & set(HEAVY)
    assert "" == done.stderr


def every_error() -> list[type[errors.AitkError]]:
    """Return the error classes of the module."""
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in classes if issubclass(value, errors.AitkError)]


def test_every_error_stands_in_the_tree() -> None:
    """With the parent that it has, under the indentation of that parent."""
    assert errors.__doc__ is not None
    lines = re.findall(r"^ {4}((?:│   |    )*(?:[├└]── )?)(\w+)", errors.__doc__, re.MULTILINE)
    branch: list[str] = []
    drawn: dict[str, str] = {}
    for indent, name in lines:
        depth = len(indent) // 4
        branch = [*branch[:depth], name]
        drawn[name] = branch[-2] if depth else "Exception"

    assert {cls.__name__: cls.__bases__[0].__name__ for cls in every_error()} == drawn
    assert sorted(errors.__all__) == errors.__all__ == sorted(drawn)
