"""Programs put together from the parts of one text a language (`*.in`).

A part begins behind a line `-- name`, and is a template. An import of a part goes to the top. What
stands between two `¦` is for TypeScript only.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from aitk_nb import _templates
from aitk_nb.discovery.snippets.literals import (
    comment,
    form_file,
    javascript,
    member,
    python,
    shell,
)

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
