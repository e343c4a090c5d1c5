"""The name of a job's folder, made of what was typed into the form."""

from __future__ import annotations

import html
import re
import unicodedata

# Letters that do not come apart into one of a to z and an accent.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"}
)


def slugify(text: str) -> str:
    """Return `text` in lower case, with dashes for all that is neither letter nor digit.

    Letters lose their accents. Those of other scripts than the Latin are dropped, where the real
    server writes them in Latin ones.
    """
    text = html.unescape(text.replace("'", "-")).lower().translate(_LETTERS)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    plain = re.sub(r"(?<=\d),(?=\d)", "", plain.replace("'", ""))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
