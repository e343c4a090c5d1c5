"""Numbers in words."""

from collections.abc import Sequence


def size(amount: float) -> str:
    """Return a number of bytes for people: `12.3 kB`, `4.5 MB`, `250 MB`."""
    if amount < 1e5:
        return f"{amount / 1e3:.1f} kB"
    if amount < 1e8:
        return f"{amount / 1e6:.1f} MB"
    return f"{amount / 1e6:,.0f} MB" if amount < 1e10 else f"{amount / 1e9:,.1f} GB"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 file`, `2 files`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first names of many: `a.png, b.png and 3 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """Return a time span in one or two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
