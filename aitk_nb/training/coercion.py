"""Values as papermill, shells and files hand them over, in the form that a field wants."""

from __future__ import annotations

import re

__all__ = ["listed", "numbers", "quantised"]


def listed(value: object) -> object:
    """Take one value where a list is meant."""
    return [value] if isinstance(value, int | str) else value


def numbers(value: object) -> object:
    """Take one number, or a text of numbers with commas, where a list of numbers is meant."""
    if isinstance(value, str):
        return [part for part in re.split(r"[\s,]+", value) if part]
    return listed(value)


def quantised(value: object) -> object:
    """Take yes and no where a kind of quantisation is meant."""
    if value is True or value is False:
        return "qfloat8" if value else ""
    return value
