"""What RunPod offers: GPU types with prices, and templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from aitk_nb._display import html
from aitk_nb._display.table import Table
from aitk_nb.errors import UnexpectedReply

Cloud = Literal["SECURE", "COMMUNITY"]

ANY = "any"
LEAST_MEMORY = 24
"""GB of a GPU that `any` may choose."""
_LEVELS = ("HIGH", "MEDIUM", "LOW", "NONE")


@dataclass(frozen=True, slots=True)
class Offer:
    """A GPU type with its list price."""

    id: str
    """RunPod's id of the GPU type."""
    name: str
    memory: int
    """GB."""
    price: float
    """USD per hour in the cloud that was asked for."""
    availability: str
    """`HIGH`, `MEDIUM`, `LOW` or `NONE` when it was read; it reserves nothing."""
    data_centers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} at ${self.price:.2f}/h (availability {self.availability})"


class PodPlan(tuple[Offer, ...]):
    """The GPU types that a pod could have, best choice first; nothing is created."""

    hours: float = 0.0
    """Hours for which a cost is shown."""
    template: str = ""
    read_at: datetime = datetime.min.replace(tzinfo=UTC)

    @property
    def table(self) -> Table:
        """One type a row."""
        headers = ["GPU", "GB", "$/h", "availability", "data centers"]
        rows = [
            [
                one.name,
                one.memory,
                f"{one.price:.2f}",
                one.availability,
                ", ".join(one.data_centers),
            ]
            for one in self
        ]
        if self.hours:
            headers.append(f"$ for {self.hours:g} h")
            for row, one in zip(rows, self, strict=True):
                row.append(f"{one.price * self.hours:.2f}")
        caption = f"{self.template}; prices without disk, read at {self.read_at:%H:%M:%S} UTC"
        return Table(tuple(headers), tuple(map(tuple, rows)), caption)

    def __repr__(self) -> str:
        return f"{self.table!r}\n{self.table.caption}" if self else "no GPU of that name"

    def _repr_html_(self) -> html.Html:
        return self.table._repr_html_() if self else html.note("no GPU of that name")


@dataclass(frozen=True, slots=True)
class Template:
    """What a pod is made from."""

    id: str
    name: str
    image: str
    source: str
    """`official`, `verified`, `community` or `own`: anyone may publish to `community`."""
    ports: tuple[str, ...] = ()
    disk: int = 0
    """GB of container disk, which is erased when the pod stops."""

    def __str__(self) -> str:
        return f"{self.name} ({self.id}, {self.image})"


def read_offers(answer: Mapping[str, Any], cloud: Cloud) -> list[Offer]:
    """Return the GPU types of one cloud.

    Raises:
        UnexpectedReply: the answer is something else.
    """
    key = cloud.lower()
    try:
        return [
            Offer(
                one["id"],
                one["name"],
                int(one["memory"]),
                float(one["price"][key]),
                one.get("availability", "NONE"),
                tuple(center["id"] for center in one.get("dataCenters") or ()),
            )
            for one in answer["gpus"]
            if one[key]
        ]
    except (LookupError, TypeError, ValueError) as exc:
        raise UnexpectedReply("list the GPUs", "not a list of GPU types") from exc


def chosen(offers: Iterable[Offer], gpu: str) -> list[Offer]:
    """Return the offers that `gpu` means, the best available and cheapest first."""
    wanted = gpu.casefold()
    fitting = [
        one
        for one in offers
        if (one.memory >= LEAST_MEMORY if wanted == ANY else wanted in _names(one))
    ]
    return ranked(fitting)


def ranked(offers: Iterable[Offer]) -> list[Offer]:
    """Return the offers, those that are available and cheap first."""
    return sorted(offers, key=lambda one: (one.availability not in _LEVELS[:3], one.price))


def _names(offer: Offer) -> set[str]:
    return {offer.id.casefold(), offer.name.casefold()}


def read_template(one: Mapping[str, Any], source: str) -> Template:
    """Return what a template is; its environment is not kept.

    Raises:
        UnexpectedReply: the answer is something else.
    """
    try:
        ports, disk = tuple(one["ports"]), int(one["disk"])
        return Template(one["id"], one["name"], one["image"], source, ports, disk)
    except (LookupError, TypeError, ValueError):
        pass
    one = {}
    raise UnexpectedReply("read a template", "not a template")
