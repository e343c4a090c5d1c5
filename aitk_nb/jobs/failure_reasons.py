"""`explain`: why a job failed, in plain words, and what to do about it."""

import re
from typing import NamedTuple

from aitk_nb._yaml import facts
from aitk_nb.training.config_paths import folder_name


class Reason(NamedTuple):
    """A failure in plain words."""

    text: str
    remedy: str


_BAR = re.compile(r"\d(it/s|s/it)\b|\r")
_AFTERWORDS = 12


def last_error(log: str) -> str:
    """Return the exception with which a log ends; empty if there is none, or the job went on."""
    *_, last = log.split("Traceback (most recent call last):\n")
    lines = last.splitlines() if last != log else []
    at = next((at for at, line in enumerate(lines) if line[:1].strip()), len(lines))
    after = lines[at + 1 :]
    if at == len(lines) or len(after) > _AFTERWORDS or _BAR.search(last[last.find(lines[at]) :]):
        return ""
    return lines[at][:200].rstrip(". ")


def explain(info: str, log: str) -> Reason | None:
    """Return the reason found in the server's words or the end of the log; None if unknown.

    The server's own words go first: the log may contain an error that was survived.
    """
    for text in (info, log):
        for known in facts("aitk_nb.jobs", "failure_reasons"):
            if match := re.search("|".join(known["said"]), text):
                name = match.groupdict().get("name")
                about = f": {folder_name(name.strip())}" if name else ""
                return Reason(known["means"] + about, known["remedy"])
    return None
