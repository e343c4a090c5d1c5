"""`Ledger`: what a pod costs, kept by a clock of its own and not by what the API tells."""

from dataclasses import dataclass, field

HOUR = 3600.0


@dataclass(frozen=True)
class Rates:
    """USD per hour."""

    gpu: float = 0.0
    disk: float = 0.0


@dataclass
class Ledger:
    """The rates of a pod over time."""

    entries: list[tuple[float, Rates]] = field(default_factory=list)
    """From when on, in seconds, a rate holds."""

    def note(self, now: float, rates: Rates) -> None:
        """Let other rates hold from now on."""
        self.entries.append((now, rates))

    def between(self, start: float, end: float) -> tuple[float, float]:
        """Return what GPU and disk cost from `start` to `end`."""
        gpu = disk = 0.0
        ends = [since for since, _ in self.entries[1:]] + [end]
        for (since, rates), until in zip(self.entries, ends, strict=True):
            hours = max(0.0, min(until, end) - max(since, start)) / HOUR
            gpu += hours * rates.gpu
            disk += hours * rates.disk
        return gpu, disk

    def buckets(self, now: float, size: float) -> list[tuple[float, float, float, float]]:
        """Return start, end, GPU and disk of each bucket with a cost."""
        if not self.entries:
            return []
        first = self.entries[0][0] // size * size
        starts = [first + size * number for number in range(int((now - first) // size) + 1)]
        found = [(at, at + size, *self.between(at, min(now, at + size))) for at in starts]
        return [bucket for bucket in found if any(bucket[2:])]
