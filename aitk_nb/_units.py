"""Numbers in words."""

from __future__ import annotations

__all__ = ["duration", "size"]


def size(amount: int) -> str:
    """Return bytes for people."""
    if amount < 1e6:
        return f"{amount / 1e3:,.1f} kB"
    return f"{amount / 1e6:,.0f} MB" if amount < 1e10 else f"{amount / 1e9:,.1f} GB"


def duration(seconds: float) -> str:
    """Return a time span in one or two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
