"""Run the shipped notebooks again and store them with their new outputs: `make notebooks`."""

from __future__ import annotations

import configparser
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from aitk_nb._files import replacing
from aitk_nb.notebooks.papermill_engine import forget_widgets
from aitk_nb.notebooks.run import find

SANITIZE = Path(__file__).with_name("sanitize.cfg")


def main(names: list[str]) -> None:
    """Rewrite the notebooks of these names, or all of them."""
    os.environ["AITK_URL"] = "demo:"
    for path in find():
        if not names or path.stem in names:
            print(path.name, flush=True)  # noqa: T201  (a command)
            rewrite(path)


def rewrite(path: Path) -> None:
    """Execute one notebook in an empty folder and store it with what repeats."""
    node = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            node, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    stored = repeatable(node)
    with replacing(path) as draft:
        nbformat.write(stored, draft)


def repeatable(node: Any) -> Any:
    """Return the notebook without what differs from run to run and from machine to machine."""
    forget_widgets(node)
    node.metadata.language_info = {"name": "python"}
    for cell in node.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            # A handle's id is fresh each time, and a stored notebook has no use for it.
            output.pop("transient", None)
            if "text" in output:
                output.text = sanitized(output.text)
            for mime, value in output.get("data", {}).items():
                if mime.startswith("text/"):
                    output.data[mime] = sanitized(value)
    return node


def sanitized(text: str) -> str:
    """Return the text as nbval sees it, but with its pictures."""
    rules = configparser.RawConfigParser()
    rules.read(SANITIZE, encoding="utf-8")
    for section in rules.sections():
        if section.startswith("pictures"):
            continue
        text = re.sub(rules.get(section, "regex"), rules.get(section, "replace"), text)
    return text


if __name__ == "__main__":
    main(sys.argv[1:])
