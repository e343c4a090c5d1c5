"""A cell on a server that cannot do what it asks."""

from __future__ import annotations

from typing import Any

import pytest

from aitk_nb.errors import NotFound, NotSupported
from aitk_nb.views import if_supported


def test_what_can_be_done_is_returned() -> None:
    """As it is."""
    assert if_supported(lambda: 7) == 7


def test_what_cannot_be_done_is_said() -> None:
    """In the error's own words, escaped; any other error is raised."""

    def refuse() -> int:
        raise NotSupported("sing", "a <b>server", "Whistle.")

    shown: Any = if_supported(refuse)
    assert "sing" in repr(shown)
    assert "Whistle." in repr(shown)
    assert "<b>" not in shown._repr_html_()

    def fail() -> int:
        raise NotFound("job", "x")

    with pytest.raises(NotFound):
        if_supported(fail)
