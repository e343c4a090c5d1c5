"""Judges one reply by the expectation of a step."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from PIL import Image

from tests.contract import contents
from tests.contract.matching import differences, equal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.wire import Reply


def judge(reply: Reply, expect: dict[str, Any]) -> list[str]:
    """Return one sentence for each way in which the reply is not the expected one."""
    problems = differences({"$any": _statuses(expect["status"])}, reply.status, "status")
    if reply.truncated != bool(expect.get("truncated", False)):
        problems.append(f"body: {'ended early' if reply.truncated else 'came whole'}")
    for key, value in expect.items():
        if key in _CHECKS:
            problems += _CHECKS[key](reply, value)
    return problems


def _statuses(status: Any) -> list[int]:
    return status if isinstance(status, list) else [status]


def _headers(reply: Reply, expected: dict[str, Any]) -> list[str]:
    problems = []
    for name, pattern in expected.items():
        value = reply.headers.get(name.lower())
        problems += differences(pattern, value, f"header {name}")
    return problems


def _json(reply: Reply, expected: Any) -> list[str]:
    try:
        actual = reply.json()
    except ValueError:
        return [f"body: not JSON: {reply.text()[:300]!r}"]
    return [] if equal(expected, actual) else differences_or_all(expected, actual)


def differences_or_all(expected: Any, actual: Any) -> list[str]:
    """Return what differs between two JSON values that are not equal; never an empty list."""
    return differences(expected, actual) or [f"$: expected {expected!r}, got {actual!r}"]


def _shape(reply: Reply, expected: Any) -> list[str]:
    try:
        return differences(expected, reply.json())
    except ValueError:
        return [f"body: not JSON: {reply.text()[:300]!r}"]


def _text(reply: Reply, expected: Any) -> list[str]:
    return differences(expected, reply.text(), "body")


def _empty(reply: Reply, expected: bool) -> list[str]:
    return [] if (not reply.body) == expected else [f"body: {reply.text()[:300]!r}"]


def _html(reply: Reply, expected: bool) -> list[str]:
    found = reply.headers.get("content-type", "").startswith("text/html")
    return [] if found == expected else [f"body: not HTML: {reply.text()[:300]!r}"]


def _size(reply: Reply, expected: int) -> list[str]:
    return differences(expected, len(reply.body), "size")


def _content(reply: Reply, expected: list[Any]) -> list[str]:
    name, content = expected
    wanted = contents.make(content, name)
    if reply.body == wanted:
        return []
    return [f"body: {len(reply.body)} bytes that are not the {len(wanted)} bytes of {name}"]


def _image(reply: Reply, expected: list[Any]) -> list[str]:
    try:
        with Image.open(io.BytesIO(reply.body)) as image:
            return differences(expected, [*image.size, image.format], "image")
    except OSError:
        return [f"body: not a picture: {reply.body[:40]!r}"]


def _zip(reply: Reply, expected: Any) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
            names = sorted(name for name in archive.namelist() if not name.endswith("/"))
    except zipfile.BadZipFile:
        return [f"body: not a zip file: {reply.body[:40]!r}"]
    return differences(expected, names, "zip")


_CHECKS: dict[str, Callable[[Reply, Any], list[str]]] = {
    "headers": _headers,
    "json": _json,
    "shape": _shape,
    "text": _text,
    "empty": _empty,
    "html": _html,
    "size": _size,
    "content": _content,
    "image": _image,
    "zip": _zip,
}
