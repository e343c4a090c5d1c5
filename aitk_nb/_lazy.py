"""Packages that import what they export only when it is used."""

import ast
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package.

    What it exports stands once, in its stub `__init__.pyi`. `import aitk_nb` stays quick that way,
    and loads neither pandas nor matplotlib for somebody who only lists jobs.

    Args:
        package: The package's `__name__`.
    """
    home = dict(_exports(Path(str(sys.modules[package].__file__)).with_suffix(".pyi")))

    def __getattr__(name: str) -> Any:  # noqa: N807  # it becomes the package's
        if name == "__version__" and package == "aitk_nb":
            from importlib.metadata import version

            return version("aitk-nb")
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*vars(sys.modules[package]), *home})

    return __getattr__, __dir__, sorted(home)


def _exports(stub: Path) -> Iterator[tuple[str, str]]:
    """Yield each name that a package's stub exports, and its module."""
    for node in ast.walk(ast.parse(stub.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                every = import_module(node.module).__all__ if alias.name == "*" else [alias.asname]
                yield from ((name, node.module) for name in every if name)
