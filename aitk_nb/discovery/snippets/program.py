"""Programs put together from the parts of one text a language (`*.in`), and values as its literals.

A part begins behind a line `-- name`, and is a template. An import of a part goes to the top. What
stands between two `¦` is for TypeScript only. Whatever a server's text holds, it stays a text: each
literal is on one line, shows what cannot be seen as an escape, and cannot end early.
"""

import functools
import itertools
import json
import keyword
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from aitk_nb import _templates

LIKE = 6
"""This many equal values in a row are written as a repetition."""


@dataclass(frozen=True, slots=True)
class Code:
    """An expression of the language itself, put in as it is; never made of a server's text.

    In a shell it is the name of a variable, which holds the inside of a JSON text or, `whole`, any
    JSON.
    """

    text: str
    whole: bool = False


def shell(text: str) -> str:
    """Return a text as one word of a POSIX shell."""
    # A zero byte cannot be in an argument.
    clean = text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return "'" + clean.replace("'", "'\\''") + "'"


def form_file(name: str, path: str) -> str:
    """Return an argument of curl's -F, which takes a path in double quotes, with their escapes."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return shell(f'{name}=@"{escaped}"')


def python(value: object) -> str:
    """Return a value that JSON can hold, as Python."""
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Mapping):
        pairs = (f"{python(str(key))}: {python(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return _items(value, python, "*[{0}] * {1}")
    if isinstance(value, str):
        return '"' + repr('"' + value)[2:-1].replace('"', '\\"').replace("\\'", "'") + '"'
    if isinstance(value, float) and not math.isfinite(value):
        return "None"
    plain = value is None or isinstance(value, bool | int | float)
    return repr(value) if plain else python(str(value))


def javascript(value: object) -> str:
    """Return a value that JSON can hold, as JavaScript."""
    if isinstance(value, Code):
        return value.text
    if isinstance(value, Mapping):
        pairs = (f"{key(str(name))}: {javascript(item)}" for name, item in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return _items(value, javascript, "...Array({1}).fill({0})")
    if isinstance(value, str):
        return _shown(json.dumps(value, ensure_ascii=False))
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    plain = value is None or isinstance(value, bool | int | float)
    return json.dumps(value) if plain else javascript(str(value))


def json_in_shell(value: object) -> str:
    """Return a value as JSON in a word of the shell; `Code` names a variable that is put in."""
    return f"'{_quoted_json(value)}'"


def _quoted_json(value: object) -> str:
    """Return a value as JSON between single quotes, which end before a variable."""
    if isinstance(value, Code):
        variable = f"'\"${value.text}\"'"
        return variable if value.whole else f'"{variable}"'
    if isinstance(value, Mapping):
        pairs = (f"{_quoted_json(str(name))}: {_quoted_json(item)}" for name, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_quoted_json, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return json.dumps(value).replace("'", "'\\''")


LITERALS: Mapping[str, Callable[[object], str]] = {
    "curl": lambda value: shell(str(value)),
    "python": python,
    "gradio_client": python,
    "javascript": javascript,
    "typescript": javascript,
}


def comment(text: str) -> str:
    """Return a text as one line that no comment of any language is ended by."""
    line = " ".join(text.split())
    return _shown(line).replace("*/", "* /").replace("/*", "/ *")


def identifier(name: str, *, upper: bool = False) -> str:
    """Return a name in camel case that TypeScript takes for a function or, `upper`, a type."""
    words = re.findall(r"[A-Za-z0-9]+", name) or ["call"]
    title = "".join(word[:1].upper() + word[1:] for word in words)
    found = title if upper else title[:1].lower() + title[1:]
    return f"call{title}" if not found[0].isalpha() or found in _TAKEN else found


_TAKEN = frozenset(_templates.source("aitk_nb.discovery.snippets", "reserved.txt").split())
"""Words of JavaScript that no function may be called by."""


def key(name: str) -> str:
    """Return a name as the key of an object of JavaScript, or of a type of TypeScript."""
    plain = re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", name) and name != "__proto__"
    return name if plain else javascript(name)


def member(name: str) -> str:
    """Return the expression for a value that a caller of JavaScript gives."""
    return f"values.{name}" if key(name) == name else f"values[{javascript(name)}]"


def is_keyword_argument(name: str) -> bool:
    """Return whether a call in Python can give a value by this name."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def _items(values: Sequence[object], literal: Callable[[object], str], repeated: str) -> str:
    words: list[str] = []
    for word, row in itertools.groupby(map(literal, values)):
        length = len(list(row))
        words += [word] * length if length < LIKE else [repeated.format(word, length)]
    return f"[{', '.join(words)}]"


def _shown(text: str) -> str:
    """Return a text with what cannot be seen, such as a change of direction, as an escape."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs)


CURL = "curl -sS --fail-with-body"

_TEXTS = {
    "curl": "curl.sh.in",
    "python": "python.py.in",
    "gradio_client": "python.py.in",
    "javascript": "javascript.js.in",
    "typescript": "javascript.js.in",
}
_IMPORT = re.compile(r"(?:import|from) ")
_THIRD_PARTY = ("import httpx", "from gradio_client")
_QUIET = """\
# Else gradio_client tells others of this program.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""
_FUNCTIONS = {
    "base_name": lambda path: PurePath(path).name,
    "failed": '^event: error|"success": *false',  # what a failed call has in its results
    "form_file": form_file,
    "javascript": javascript,
    "json": json.dumps,
    "member": member,
    "python": python,
    "shell": shell,
}
"""What all parts may use."""


def assembled(
    language: str,
    comments: Sequence[str],
    parts: Iterable[str],
    gaps: Mapping[str, Any],
    *,
    flavour: str = "",
) -> str:
    """Return a program of one language.

    Args:
        language: One of `LANGUAGES`.
        comments: What stands above it, a line each.
        parts: Names of parts; those of the language or the flavour come before the common ones.
        gaps: What the parts are filled with; texts that a server says as literals only.
        flavour: `webui` or `gradio`, for parts that only one of them has.
    """
    known = _parts(_TEXTS[language])
    places = (f"{language}: ", f"{flavour}: ", "")
    named = ([place + part for place in places if place + part in known] for part in parts)
    text = "".join(known[names[0]] for names in named if names)
    text = re.sub("¦(.*?)¦", r"\1" if language == "typescript" else "", text)
    rows = _templates.template(text).render({**_FUNCTIONS, **gaps}).split("\n")
    # No literal of Python or JavaScript goes on in another line, so that these are our own.
    imports = dict.fromkeys(row for row in rows if language != "curl" and _IMPORT.match(row))
    foreign = [row for row in imports if row.startswith(_THIRD_PARTY)]
    blocks = [
        "\n".join(sorted(imports.keys() - set(foreign), key=lambda row: (row[0] == "f", row))),
        (_QUIET if language == "gradio_client" else "") + "\n".join(foreign),
        "\n".join(row for row in rows if row not in imports),
    ]
    sign = "//" if language in {"javascript", "typescript"} else "#"
    heading = "".join(f"{sign} {comment(text)}\n" for text in comments)
    whole = "\n\n".join(block.strip("\n") for block in blocks if block.strip())
    return heading + re.sub(r"\n{3,}", "\n\n", whole) + "\n"


def head(auth: str) -> tuple[str, ...]:
    """Return the parts with the address and the credentials, which the program reads itself."""
    return ("head", auth if auth in {"token", "login"} else "none")


def sends(auth: str) -> str:
    """Return the command of a shell that sends a request, with the credentials."""
    # The head defines `ask`: a secret as an argument could be read by others on the machine.
    return "ask" if auth in {"token", "login"} else CURL


@functools.cache
def _parts(name: str) -> Mapping[str, str]:
    text = _templates.source("aitk_nb.discovery.snippets", name)
    _, *found = re.split(r"^(?:#|//) -- (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))
