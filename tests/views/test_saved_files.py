"""`SavedFiles`: paths, with links where a page can follow them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitk_nb._display import session
from aitk_nb.views import SavedFiles


def test_where_nobody_clicks_it_is_the_paths(tmp_path: Path) -> None:
    """Each on its own line, as it was given, and escaped."""
    files = SavedFiles("runs/<b>.png", tmp_path)

    assert f"runs/<b>.png\n{tmp_path}" == repr(files)
    assert "runs/&lt;b&gt;.png" in files._repr_html_()
    assert "<a" not in files._repr_html_()


def test_a_page_links_what_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file below the notebook; not a folder, one that is elsewhere or one that is missing."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "a #1.png").write_bytes(b"x")
    (tmp_path / "above.png").write_bytes(b"x")
    monkeypatch.chdir(here)
    monkeypatch.setattr(session, "is_attended", lambda: True)
    files = SavedFiles("a #1.png", "../above.png", here, "missing.png")

    assert '<a href="a%20%231.png" download>a #1.png</a>' in files._repr_html_()
    assert 1 == files._repr_html_().count("<a ")
