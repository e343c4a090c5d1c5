"""Programs with gaps: texts in quotes become literals, flags choose lines, types come and go.

A template is a program of its language. `"@@name@@"` (or `'@@name@@'` in a shell) becomes a
literal, quotes and all; `@@!name@@` is put in as it is. A line that ends in `#@flag` or `//@flag`
is kept where the flag is set. JavaScript and TypeScript share a template, in which types stand in
comments: `/*: string*/`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from importlib import resources

from aitk_nb.discovery.snippets.quoting import LITERALS

__all__ = ["filled"]

_GAP = re.compile(r"""@@!(?P<code>\w+)@@|(?P<quote>["'])@@(?P<text>\w+)@@(?P=quote)""")
_FLAG = re.compile(r"\s*(?:#|//)@(\w+)$")
_TYPE = re.compile(r"/\*(: |\?: |<| as |!)(.*?)\*/")


def filled(
    flavour: str,
    name: str,
    language: str,
    *,
    texts: Mapping[str, str],
    code: Mapping[str, str],
    flags: Collection[str],
) -> str:
    """Return the template `name` of a flavour with its gaps filled.

    Args:
        flavour: `webui` or `gradio`.
        name: file name of the template.
        language: whose literals are written.
        texts: what becomes literals.
        code: what is put in as it is.
        flags: which lines are kept.
    """
    folder = resources.files("aitk_nb.discovery.snippets").joinpath(flavour)
    raw = folder.joinpath(name).read_text(encoding="utf-8")
    literal = LITERALS[language]

    def fill(match: re.Match[str]) -> str:
        if name := match["code"]:
            return code[name]
        return literal(texts[match["text"]])

    kept = [line for line in map(_chosen(flags), raw.splitlines()) if line is not None]
    # Types are settled before the gaps are filled: what is put in is left as it is.
    typed = (_types(line, keep=language == "typescript") for line in kept)
    return "\n".join(_GAP.sub(fill, line) for line in typed) + "\n"


def _chosen(flags: Collection[str]):  # type: ignore[no-untyped-def]
    def choose(line: str) -> str | None:
        match = _FLAG.search(line)
        if match is None:
            return line
        return line[: match.start()] if match[1] in flags else None

    return choose


def _types(line: str, *, keep: bool) -> str:
    if not keep:
        return _TYPE.sub("", line)
    return _TYPE.sub(lambda match: match[1] + match[2] + (">" if match[1] == "<" else ""), line)
