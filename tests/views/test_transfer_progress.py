"""`TransferProgress`: one output, with speed and time left, however often it is called."""

from __future__ import annotations

from typing import Any

import pytest

from aitk_nb.views import TransferProgress, transfer_progress


class Shown:
    """Stands where IPython shows things."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        self.outputs = 0
        monkeypatch.setattr(transfer_progress, "display", self._display)

    def _display(self, view: Any, *, display_id: bool) -> Shown:
        assert display_id
        self.outputs += 1
        self.update(view)
        return self

    def update(self, view: Any) -> None:
        """Remember what would be seen."""
        self.texts.append(repr(view))


def test_it_tells_speed_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the last seconds, in one output; the end says nothing that changes from run to run."""
    shown, now = Shown(monkeypatch), [0.0]
    progress = TransferProgress("uploading", clock=lambda: now[0])

    for second in range(11):
        now[0] = float(second)
        progress(second * 2_000_000, 20_000_000)

    assert 1 == shown.outputs
    assert "uploading: 0.0 kB of 20.0 MB" == shown.texts[0]
    assert "uploading: 8.0 MB of 20.0 MB · 2 MB/s · about 6 s left" == shown.texts[4]
    assert "uploading: 20.0 MB, done" == shown.texts[-1]


def test_what_is_taken_back_makes_no_negative_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that broke is counted anew."""
    Shown(monkeypatch)
    now = [0.0]
    progress = TransferProgress(clock=lambda: now[0])
    for when, done in enumerate((0, 5_000_000, 1_000_000)):
        now[0] = float(when)
        progress(done, 10_000_000)

    assert progress.rate is None
    assert "1.0 MB of 10.0 MB" in repr(progress)


def test_it_is_not_drawn_for_each_piece_nor_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of calls are a few drawings; an upload that sends nothing shows nothing."""
    shown, now = Shown(monkeypatch), [0.0]
    progress = TransferProgress(clock=lambda: now[0])
    for piece in range(1001):
        now[0] += 0.001
        progress(piece * 1000, 1_000_000)
    assert len(shown.texts) < 10

    TransferProgress(clock=lambda: now[0])(0, 0)
    assert 1 == shown.outputs
