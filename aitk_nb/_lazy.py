"""Packages that import what they export only when it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package.

    `import aitk_nb` stays quick that way, and loads neither pandas nor matplotlib for somebody who
    only lists jobs.

    Args:
        package: The package's `__name__`.
        homes: The module, relative to the package, that defines each exported name.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807  # it becomes the package's
        if name == "__version__" and package == "aitk_nb":
            from importlib.metadata import version

            return version("aitk-nb")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*vars(sys.modules[package]), *homes})

    return __getattr__, __dir__, sorted(homes)
