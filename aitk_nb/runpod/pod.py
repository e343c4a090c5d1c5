"""`Pod`: one pod as RunPod described it at a certain time, without its environment."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from aitk_nb._display import html
from aitk_nb._display.table import Table
from aitk_nb.connection.secret import Secret
from aitk_nb.errors import UnexpectedReply

API = "https://api.runpod.io"
TOKEN = "AI_TOOLKIT_AUTH"  # noqa: S105  (the name of a variable)
MAX_HOURS = "AITK_NB_MAX_HOURS"
"""Variable of a pod that tells how long it is meant to run."""
PORT = "8675/http"
"""Where AI Toolkit's web UI listens."""


class PodStatus(enum.Enum):
    """RunPod's word for the state of a pod."""

    PROVISIONING = "PROVISIONING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    EXITED = "EXITED"
    ERROR = "ERROR"
    TERMINATED = "TERMINATED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_on(self) -> bool:
        """True while the GPU is paid for, as far as the word tells."""
        return self in {
            PodStatus.PROVISIONING,
            PodStatus.STARTING,
            PodStatus.RUNNING,
            PodStatus.UNKNOWN,
        }


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod in the state that RunPod told at `read_at`.

    Example:
        >>> with aitk_nb.RunPod("demo:") as pods:
        ...     pods.create("shown", gpu="RTX 4090").gpu
        'NVIDIA GeForce RTX 4090'
    """

    id: str
    name: str
    status: PodStatus
    gpu: str
    """RunPod's id of the GPU type; empty if the pod has none."""
    cloud: str
    """`SECURE` or `COMMUNITY`."""
    price: float
    """USD per hour now, as RunPod tells it; 0 of a stopped pod, whose disk may still cost."""
    url: str
    """The public address of its web server; empty if it exposes none."""
    created: datetime
    started: datetime | None
    read_at: datetime
    """When RunPod told this."""
    mounts: tuple[str, ...] = ()
    """Folders that outlive a stop; everything else on its disk counts as lost then."""
    max_hours: float | None = None
    """How long it is meant to run after each start; None if nothing was set. It stops nothing."""
    token: Secret | None = field(default=None, repr=False)
    """Token of the web UI in it."""

    @property
    def row(self) -> tuple[str, ...]:
        """The pod as a row of a table."""
        price = f"{self.price:.2f}"
        at = f"{self.read_at:%H:%M:%S}"
        row = (self.name, self.status.value, self.gpu, self.cloud, price, self.url, self.id, at)
        return tuple(map(_printable, row))

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON can hold it, without the token."""
        names = ("id", "name", "gpu", "cloud", "price", "url", "max_hours")
        times = {name: _text(getattr(self, name)) for name in ("created", "started", "read_at")}
        values = {name: getattr(self, name) for name in names}
        return {**values, "status": self.status.value, "mounts": list(self.mounts), **times}


class PodList(tuple[Pod, ...]):
    """Pods, which a notebook and a terminal show as a table."""

    @property
    def table(self) -> Table:
        """One pod a row."""
        headers = ("name", "state", "GPU", "cloud", "$/h", "address", "id", "read at (UTC)")
        return Table(headers, tuple(pod.row for pod in self))

    def __repr__(self) -> str:
        return repr(self.table) if self else "no pods"

    def _repr_html_(self) -> html.Html:
        return self.table._repr_html_() if self else html.note("no pods")


def read_pod(body: Mapping[str, Any], api: str) -> Pod:
    """Return the pod that the API describes; its environment is not kept.

    Raises:
        UnexpectedReply: something else is described.
    """
    try:
        env = body.get("env") or {}
        ports = [port for port in body.get("ports") or () if port.endswith("/http")]
        port = PORT if PORT in ports else next(iter(ports), "")
        return Pod(
            id=body["id"],
            name=body["name"],
            status=_status(body["status"]),
            gpu=(body.get("gpu") or {}).get("id", ""),
            cloud=body["cloud"],
            price=float(body["cost"]),
            url=address(api, body["id"], port.partition("/")[0]) if port else "",
            created=_time(body["createdAt"]),
            started=_time(body["startedAt"]) if body.get("startedAt") else None,
            read_at=datetime.now(UTC),
            mounts=_mounts(body.get("mounts") or {}),
            max_hours=_hours(env.get(MAX_HOURS, "")),
            token=Secret(env[TOKEN]) if env.get(TOKEN) else None,
        )
    except (LookupError, TypeError, ValueError, AttributeError) as exc:
        seen = f"not a pod ({type(exc).__name__})"
    body, env = {}, {}  # a traceback shows the values of variables, and these hold a token
    raise UnexpectedReply("read a pod", seen)


def address(api: str, pod_id: str, port: str) -> str:
    """Return the public address of a port of a pod."""
    if api == API:
        return f"https://{pod_id}-{port}.proxy.runpod.net"
    return f"{api}/proxy/{pod_id}-{port}"


def pod_at(url: str) -> tuple[str, str] | None:
    """Return the API and the id of the pod behind an address; None if none is there."""
    host = urlsplit(url).hostname or ""
    if match := re.fullmatch(r"([a-z0-9]+)-\d+\.proxy\.runpod\.net", host):
        return API, match[1]
    if match := re.fullmatch(r"(https?://[^/]+)/proxy/([a-z0-9]+)-\d+", url):
        return match[1], match[2]
    return None


def _status(word: object) -> PodStatus:
    return PodStatus(word) if word in PodStatus.__members__ else PodStatus.UNKNOWN


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _mounts(found: Mapping[str, Any]) -> tuple[str, ...]:
    one = found.get("persistent")
    return tuple(mount["path"] for mount in [*([one] if one else []), *found.get("network", [])])


def _hours(text: str) -> float | None:
    try:
        hours = float(text)
    except ValueError:
        return None
    return hours if math.isfinite(hours) and hours > 0 else None


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
