"""The other shipped notebooks on a Gradio server; `make test` has the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks import test_gradio


@pytest.mark.parametrize("book", [book for book in test_gradio.QUICK if book != "00_quickstart"])
def test_a_notebook_ends_well(book: str, tmp_path: Path) -> None:
    """With its result, and with nothing that looks like a failure."""
    test_gradio.test_a_notebook_ends_well(book, tmp_path)
