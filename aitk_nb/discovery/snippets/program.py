"""Programs put together from the parts of one text a language (`*.in`).

A part begins with a line such as `# -- folder`. Its gaps, such as `§folder`, are filled with
literals of the language or with code of our own. The types of TypeScript are gaps of its text too,
which stay empty in JavaScript.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from aitk_nb.discovery.snippets.literals import comment

CURL = "curl -sS --fail-with-body"

TYPES: Mapping[str, str] = {
    "export": "export ",
    "any": ": any",
    "string": ": string",
    "strings": ": string[]",
    "Body": "?: object | FormData",
    "Files": ": { name: string; data: Blob }[]",
    "Headers": ": Record<string, string>",
    "Job": ": Job",
    "JobConfig": ": JobConfig",
    "Uploaded": ": Uploaded[]",
    "to_Blob": ": Promise<Blob>",
    "to_Job": ": Promise<Job>",
    "to_Response": ": Promise<Response>",
    "to_Status": ": Promise<Job & { losses: (number | null)[] }>",
    "to_Trained": ": Promise<{ message: unknown; results: string }>",
    "to_Uploaded": ": Promise<Uploaded[]>",
    "to_Waiting": ": Promise<{ waiting: number; files: string[] }>",
    "to_string": ": Promise<string>",
    "values": ", values: TrainingValues = {}",
}
"""What TypeScript has where JavaScript has nothing."""

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


class _Gaps(string.Template):
    delimiter = "§"


def assembled(
    language: str,
    comments: Sequence[str],
    parts: Iterable[str],
    gaps: Mapping[str, str],
    lines: Iterable[str] = (),
    *,
    flavour: str = "",
) -> str:
    """Return a program of one language.

    Args:
        language: One of `LANGUAGES`.
        comments: What the program does, for its first lines; may be a server's text.
        parts: The parts in their order, without a flavour before their names where they have one;
            those that the language's text lacks are left out.
        gaps: What fills the gaps, written in the language.
        lines: Code of our own that follows the parts.
        flavour: `webui` or `gradio`, whose parts are meant.
    """
    known = _parts(_TEXTS[language])
    places = (f"{language}: ", f"{flavour}: ", "")
    named = ([place + part for place in places if place + part in known] for part in parts)
    text = "".join(known[names[0]] for names in named if names)
    types = TYPES if language == "typescript" else dict.fromkeys(TYPES, "")
    # Imports are found before the gaps are filled: what is put in is left where it is.
    rows, lines = text.splitlines(), list(lines)
    imports = dict.fromkeys(row for row in (*rows, *lines) if _IMPORT.match(row))
    body = _Gaps("\n".join(row for row in rows if row not in imports))
    foreign = [row for row in imports if row.startswith(_THIRD_PARTY)]
    blocks = [
        "\n".join(sorted(imports.keys() - set(foreign), key=lambda row: (row[0] == "f", row))),
        (_QUIET if language == "gradio_client" else "") + "\n".join(foreign),
        body.substitute({**types, **gaps}),
        "\n".join(row for row in lines if row not in imports),
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
    text = resources.files("aitk_nb.discovery.snippets").joinpath(name).read_text("utf-8")
    _, *found = re.split(r"^(?:#|//) -- (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))
