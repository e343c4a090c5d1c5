"""`Cloud`: the pods of one account, which boot, cost and fail as time goes on."""

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from aitk_nb.demo.common import leftovers
from aitk_nb.demo.common.store import Store
from aitk_nb.demo.runpod.ledger import Ledger, Rates
from aitk_nb.demo.webui.worker import Worker

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MONTH = 730.0
"""Hours of a month, over which the price of a disk is spread."""


@cache
def catalog() -> Any:
    """Return what the imitation offers; not to be changed."""
    return yaml.safe_load(files(__package__).joinpath("catalog.yaml").read_text(encoding="utf-8"))


class Problem(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


@dataclass
class Faults:
    """What goes wrong; each counts down or holds until it is cleared."""

    create_500: int = 0
    """Creations that answer 500 although the pod is made; it shows `Cloud.shows_after` s later."""
    rate_limited: int = 0
    """Requests that answer 429."""
    retry_after: float = 2.0
    no_gpu: set[str] = field(default_factory=set)
    """GPU types of which none is free."""
    never_ready: bool = False
    """Pods that are made now never answer."""
    no_credit: bool = False


@dataclass
class Pod:
    """One pod, and the server in it."""

    id: str
    name: str
    template: Mapping[str, Any]
    env: dict[str, str] = field(repr=False)
    gpu: Mapping[str, Any]
    cloud: str
    data_center: str
    mounts: Mapping[str, Any]
    created: float
    shows: float
    never_ready: bool
    on: float | None = None
    """Since when it is switched on; None while it is stopped."""
    ledger: Ledger = field(default_factory=Ledger)
    site: "ASGIApp | None" = field(default=None, repr=False)
    undo: ExitStack = field(default_factory=ExitStack, repr=False)
    folder: Path | None = None


class Cloud:
    """All pods of one account, by a clock that can be set."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, boot: float = 1.0, settle: float = 1.0
    ) -> None:
        """Boot a pod within `boot` seconds; its server answers `settle` seconds later."""
        self.clock = clock
        self.boot = boot
        self.settle = settle
        self.shows_after = 10.0
        self.bills_after = 0.0
        """Seconds until the billing has a new pod."""
        self.faults = Faults()
        self.pods: dict[str, Pod] = {}
        self.prices = {
            (gpu["id"], cloud): gpu[cloud.lower()]
            for gpu in catalog()["gpus"]
            for cloud in ("SECURE", "COMMUNITY")
        }
        self.ended: dict[str, Pod] = {}
        self.lock = threading.RLock()

    # -- what happens to pods ----------------------------------------------------------------------

    def create(self, body: Mapping[str, Any]) -> Pod:
        """Make a pod, and switch it on."""
        if self.faults.no_credit:
            raise Problem(402, "insufficient balance")
        template = catalog()["templates"].get(body.get("templateId"))
        if template is None:
            raise Problem(404, "template not found")
        gpu = next((one for one in catalog()["gpus"] if one["id"] == body["gpu"]["id"]), None)
        if gpu is None:
            raise Problem(400, f"unknown GPU type {body['gpu']['id']!r}")
        self._check_free(gpu)
        now = self.clock()
        late = self.faults.create_500 > 0
        self.faults.create_500 -= late
        pod = Pod(
            id=secrets.token_hex(7),
            name=body["name"],
            template={**template, "id": body["templateId"]},
            env={**template["env"], **body.get("env", {})},
            gpu=gpu,
            cloud=body.get("cloud", "SECURE"),
            data_center=(body.get("dataCenterIds") or ["EU-RO-1"])[0],
            mounts=body.get("mounts", {}),
            created=now,
            shows=now + self.shows_after * late,
            never_ready=self.faults.never_ready,
            on=now,
        )
        self.pods[pod.id] = pod
        self._note(pod)
        if late:
            raise Problem(500, "internal server error")
        return pod

    def act(self, pod: Pod, action: str) -> None:
        """Do what `PodActionRequest` asks for."""
        if action not in self.actions(pod):
            raise Problem(409, f"pod is {self.status(pod)}: {action} is not possible")
        if action in {"stop", "terminate"}:
            pod.on = None
        elif action == "start":
            self._check_free(pod.gpu)
            pod.on = self.clock()
        if action == "restart":
            pod.on = self.clock()
        self._close(pod, keep=action != "terminate" and bool(pod.mounts))
        if action == "terminate":
            self.ended[pod.id] = self.pods.pop(pod.id)
            pod.ledger.note(self.clock(), Rates())
        else:
            self._note(pod)

    def set_price(self, gpu: str, cloud: str, price: float) -> None:
        """Change the price per hour, also of pods that run."""
        with self.lock:
            self.prices[gpu, cloud] = price
            for pod in self.pods.values():
                self._note(pod)

    def spent(self, pod_id: str) -> float:
        """Return what a pod has cost, by the ledger."""
        pod = self.pods.get(pod_id) or self.ended[pod_id]
        return sum(pod.ledger.between(0.0, self.clock()))

    def _check_free(self, gpu: Mapping[str, Any]) -> None:
        if gpu["id"] in self.faults.no_gpu:
            raise Problem(400, "there are no instances currently available")

    def _note(self, pod: Pod) -> None:
        per_month = catalog()["disk"]["stopped" if pod.on is None else "running"]
        disk = pod.template["disk"] * per_month / MONTH
        pod.ledger.note(self.clock(), Rates(self.price(pod), disk))

    # -- how they are ------------------------------------------------------------------------------

    def price(self, pod: Pod) -> float:
        """Return what it costs per hour without its disk."""
        return 0.0 if pod.on is None else float(self.prices[pod.gpu["id"], pod.cloud])

    def status(self, pod: Pod) -> str:
        """Return the word of `PodStatus`."""
        if pod.on is None:
            return "EXITED"
        age = self.clock() - pod.on
        if age < self.boot / 2:
            return "PROVISIONING"
        return "STARTING" if age < self.boot else "RUNNING"

    def actions(self, pod: Pod) -> list[str]:
        """Return what can be done with it now."""
        of = {"RUNNING": ["stop", "restart", "terminate"], "EXITED": ["start", "terminate"]}
        return of.get(self.status(pod), ["stop", "terminate"])

    def listed(self) -> list[Pod]:
        """Return the pods that show."""
        return [pod for pod in self.pods.values() if pod.shows <= self.clock()]

    # -- the server in a pod -----------------------------------------------------------------------

    def answering(self, pod_id: str, port: str) -> "ASGIApp | None":
        """Return the server in a pod; None while nothing answers at that port."""
        with self.lock:
            pod = self.pods.get(pod_id)
            if pod is None or pod.on is None or pod.never_ready:
                return None
            if f"{port}/http" not in pod.template["ports"]:
                return None
            if self.clock() - pod.on < self.boot + self.settle:
                return None
            if pod.site is None:
                self._open(pod)
            return pod.site

    def _open(self, pod: Pod) -> None:
        from aitk_nb.demo.webui.app import build
        from aitk_nb.demo.webui.wire import Site

        if pod.folder is None:
            leftovers.remove()
            pod.folder = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX)).resolve()
        store = Store(pod.folder)
        store.open()
        pod.undo.callback(store.close)
        worker = Worker(store)
        pod.undo.callback(worker.stop)
        site = Site(store, worker, pod.env.get("AI_TOOLKIT_AUTH") or None)
        pod.undo.callback(site.closing.set)
        pod.site = build(site)
        worker.start()

    @staticmethod
    def _close(pod: Pod, *, keep: bool = False) -> None:
        pod.undo.close()
        pod.site = None
        if pod.folder is not None and not keep:
            shutil.rmtree(pod.folder, ignore_errors=True)
            pod.folder = None

    def close(self) -> None:
        """End all servers, and remove their folders."""
        with self.lock:
            for pod in self.pods.values():
                self._close(pod)
