"""Examines a server from the line to its GPU: a checklist, each line with what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aitk_nb import _html
from aitk_nb._table import Table
from aitk_nb.auth.api import check_auth
from aitk_nb.auth.gateway import limits
from aitk_nb.auth.report import AuthReport
from aitk_nb.auth.security import MAX_SKEW
from aitk_nb.client import connect
from aitk_nb.connection.connection import Connection, Credentials, Secret, hidden
from aitk_nb.connection.embedded import locate
from aitk_nb.errors import AitkError, NotSupported
from aitk_nb.jobs.failure_reasons import explain
from aitk_nb.models.access import AuthState
from aitk_nb.models.job import JobStatus
from aitk_nb.models.server import Ability

if TYPE_CHECKING:
    from aitk_nb.client import AIToolkitClient

__all__ = ["Examination", "Step", "StepState", "examine"]

MIME = "application/vnd.aitk.doctor+json"

FULL = 0.95
"""Share of a GPU's memory from which on hardly any training begins."""

HOT = 88
"""Degrees Celsius at which GPUs slow themselves down."""


class StepState(enum.Enum):
    """How a step of the examination ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"

    @property
    def tick(self) -> str:
        """The sign in a checklist."""
        return {"ok": "✓", "warning": "!", "problem": "✗", "skipped": "-"}[self.value]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the checklist."""

    name: str
    state: StepState
    text: str
    """What was found, in one sentence."""
    remedy: str = ""
    """What to do about it; empty where nothing has to be done."""

    def __str__(self) -> str:
        line = f"{self.state.tick} {self.name}: {self.text}"
        return f"{line} {self.remedy}" if self.remedy else line

    def as_dict(self) -> dict[str, str]:
        """Return it for JSON."""
        return {
            "name": self.name,
            "state": self.state.value,
            "text": self.text,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Examination:
    """A checklist of a server, from the line to its GPU."""

    auth: AuthReport
    """What the check of authentication told."""
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """True when nothing stands in the way of a training."""
        return all(step.state is not StepState.PROBLEM for step in self.steps)

    @property
    def table(self) -> Table:
        """The checklist as a table."""
        rows = tuple((s.state.tick, s.name, s.text, s.remedy) for s in self.steps)
        return Table(("", "step", "found", "remedy"), rows)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON; see `schemas/doctor.json`."""
        return {
            "url": self.auth.url,
            "ok": self.ok,
            "state": self.auth.state.value,
            "flavour": self.auth.flavour.value if self.auth.flavour else None,
            "steps": [step.as_dict() for step in self.steps],
            "findings": [finding.as_dict() for finding in self.auth.findings],
        }

    def __repr__(self) -> str:
        word = "nothing stands in the way" if self.ok else "there are problems"
        return f"<Examination: {word}>"

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        kinds: dict[StepState, _html.Kind] = {
            StepState.OK: "ok",
            StepState.WARNING: "warning",
            StepState.PROBLEM: "error",
            StepState.SKIPPED: "info",
        }
        rows = [
            (_html.badge(step.name, kinds[step.state]), step.text, step.remedy)
            for step in self.steps
        ]
        page = _html.table(("step", "found", "remedy"), rows, caption="Examination")
        states = {step.name: step.state.value for step in self.steps}
        return {
            "text/plain": repr(self),
            "text/html": page,
            MIME: {"ok": self.ok, "state": self.auth.state.value, "steps": states},
        }


def examine(
    url: str | Connection = "",
    credentials: Credentials | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    verify: bool | str | Path | None = None,
    *,
    timeout: float = 10.0,
    report: Callable[[Step], object] | None = None,
) -> Examination:
    """Return a checklist of the server at `url`; changes nothing on it, and does not raise.

    `report` is called with each step as it is done.

    Raises:
        BadInput: the address is none, or an extra header cannot be sent.
    """
    credentials, headers = hidden(credentials, headers)
    connection = locate(url, credentials, headers, verify, any_token=True)
    auth = check_auth(connection, timeout=timeout)
    steps = []
    for step in _steps(connection, auth):
        steps.append(step)
        if report:
            report(step)
    return Examination(auth, tuple(steps))


def _steps(connection: Connection, auth: AuthReport) -> Iterator[Step]:
    yield from _way_in(auth)
    if auth.ok:
        try:
            with connect(connection) as client:
                yield from _inside(client)
        except NotSupported as exc:
            yield Step("abilities", StepState.PROBLEM, str(exc))
        except AitkError as exc:
            yield Step("abilities", StepState.PROBLEM, str(exc), "Run this again.")
    if auth.state is not AuthState.UNREACHABLE:
        yield _clock(auth)
    yield _limits(connection, auth)


def _way_in(auth: AuthReport) -> Iterator[Step]:
    """Yield what is between us and the server: the line, the flavour, the password."""
    if auth.state is AuthState.UNREACHABLE:
        text = f"{auth.diagnosis} ({auth.detail})" if auth.detail else auth.diagnosis
        yield Step("reachability", StepState.PROBLEM, text, auth.next_step)
        return
    yield Step("reachability", StepState.OK, f"{auth.url} answers.")
    if auth.flavour is None:
        in_front = auth.state in {AuthState.MISSING, AuthState.REJECTED}
        name = "auth" if in_front else "flavour"
        yield Step(name, StepState.PROBLEM, auth.diagnosis, auth.next_step)
        return
    named = {"webui": "AI Toolkit's web UI", "gradio": "AI Toolkit's Gradio app"}
    yield Step("flavour", StepState.OK, f"It is {named[auth.flavour.value]}.")
    if not auth.ok:
        yield Step("auth", StepState.PROBLEM, auth.diagnosis, auth.next_step)
    else:
        yield Step("auth", StepState.OK, auth.diagnosis)
    yield _safety(auth)


def _safety(auth: AuthReport) -> Step:
    serious = [finding for finding in auth.findings if finding.severity != "info"]
    if not serious:
        return Step("safety", StepState.OK, "Nothing dangerous was found.")
    more = f" And {len(serious) - 1} more: see aitk-nb auth." if len(serious) > 1 else ""
    worst = serious[0]
    return Step("safety", StepState.WARNING, f"{worst.text}{more}", worst.remedy)


def _inside(client: AIToolkitClient) -> Iterator[Step]:
    """Yield what the server can do, and how its disk and its GPUs stand."""
    able = [ability for ability in Ability if client.can(ability)]
    lacking = [ability.value for ability in Ability if ability not in able]
    text = f"It can do {len(able)} of {len(Ability)} things"
    text += f", and not: {', '.join(lacking)}." if lacking else ": all that there is."
    trains = Ability.TRAIN in able and Ability.UPLOAD in able
    yield Step("abilities", StepState.OK if trains else StepState.PROBLEM, text)
    yield _tried("disk", _disk, client)
    yield _tried("GPU", _gpu, client)


def _tried(name: str, step: Callable[[AIToolkitClient], Step], client: AIToolkitClient) -> Step:
    """Return the step, or what failed while it was done."""
    try:
        return step(client)
    except AitkError as exc:
        return Step(name, StepState.PROBLEM, f"The server does not tell: {exc}")


def _disk(client: AIToolkitClient) -> Step:
    """Return how the disk stands, where the server tells; a job that met a full one does too."""
    if client.can(Ability.LIST_JOBS):
        failed = (job for job in client.jobs.list() if job.state.status is JobStatus.ERROR)
        newest = next(failed, None)
        reason = explain(newest.state.info, "") if newest else None
        if newest and reason and "disk" in reason.text:
            text = f"The last failed job, {newest.name}, says that the disk was full."
            return Step("disk", StepState.WARNING, text, reason.remedy)
    return Step("disk", StepState.SKIPPED, "This server does not tell how full its disk is.")


def _gpu(client: AIToolkitClient) -> Step:
    if not client.can(Ability.GPUS):
        return Step("GPU", StepState.SKIPPED, "This server does not tell of its GPUs.")
    gpus = client.gpus()
    if not gpus:
        return Step(
            "GPU",
            StepState.WARNING,
            "The server sees no GPU.",
            "Start the pod with one; on a Mac this is as it should be.",
        )
    shown = ", ".join(
        f"{gpu.name} ({gpu.memory_used:,} of {gpu.memory_total:,} MiB used)" for gpu in gpus
    )
    full = [gpu for gpu in gpus if gpu.memory_used > FULL * gpu.memory_total > 0]
    hot = [gpu for gpu in gpus if (gpu.temperature or 0) >= HOT]
    if len(full) == len(gpus):
        remedy = "Wait for the job that runs, or end what else holds the memory."
        return Step("GPU", StepState.WARNING, f"No memory is left on {shown}.", remedy)
    if hot:
        text = f"{hot[0].name} is {hot[0].temperature} °C hot and slows itself down."
        return Step("GPU", StepState.WARNING, text, "Look at the cooling of the machine.")
    return Step("GPU", StepState.OK, f"{shown}.")


def _clock(auth: AuthReport) -> Step:
    if auth.skew is None:
        return Step("clock", StepState.SKIPPED, "No answer said what time it is there.")
    if abs(auth.skew) <= MAX_SKEW:
        return Step("clock", StepState.OK, "The clocks agree.")
    finding = next(finding for finding in auth.findings if finding.code == "clock")
    return Step("clock", StepState.WARNING, finding.text, finding.remedy)


def _limits(connection: Connection, auth: AuthReport) -> Step:
    text, remedy = limits(connection.url, auth.gateway)
    return Step("proxy limits", StepState.WARNING if remedy else StepState.OK, text, remedy)
