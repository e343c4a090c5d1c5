"""Checks a server from the network to its GPUs: `DoctorReport`, each check with a remedy."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from aitk_nb._display import html
from aitk_nb.auth.api import check_auth
from aitk_nb.auth.messages import limits
from aitk_nb.auth.report import AuthReport
from aitk_nb.auth.security import MAX_SKEW
from aitk_nb.backends.base import Backend
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import AitkError, NotSupported
from aitk_nb.jobs.failure_reasons import explain
from aitk_nb.jobs.queue import NO_GPU
from aitk_nb.models import Ability, AuthState, Check, Checklist, ChecklistReport, JobStatus, Status

KNOWN = frozenset({"AI Toolkit's web UI", "AI Toolkit's Gradio app"})
"""What `AuthReport.product` is where the server is known to be AI Toolkit's."""

FULL = 0.95
"""Share of a GPU's memory from which on hardly any training starts."""

HOT = 88
"""Degrees Celsius at which GPUs throttle."""


@dataclass(frozen=True, slots=True, repr=False)
class DoctorReport(ChecklistReport):
    """A checklist of a server, from the network to its GPUs.

    Example:
        >>> client.doctor().problems
        nothing to report
    """

    auth: AuthReport
    """The result of the authentication check."""
    checks: Checklist[Check]
    """In the order in which they were made; what follows a problem may be missing."""

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        # Only what repeats: neither the address nor what the GPUs do at the moment.
        states = {check.name: check.status.value for check in self.checks}
        plain = f"<DoctorReport {'ready to train' if self.ok else 'problems found'}>"
        result = {"ok": self.ok, "state": self.auth.state.value, "checks": states}
        return html.bundle(plain, self._repr_html_(), doctor=result)


def doctor(
    connection: Connection,
    open_backend: Callable[[Connection], AbstractContextManager[Backend]],
    *,
    timeout: float = 10.0,
    report: Callable[[Check], object] | None = None,
) -> DoctorReport:
    """Check the server at `connection`; read-only, and does not raise if a check fails.

    Args:
        connection: The server and the credentials to try.
        open_backend: Opens a backend for the connection once it lets us in.
        timeout: Seconds to wait for each response of the authentication check.
        report: Called with each check as it is made.

    Raises:
        BadInput: An extra header can't be sent.
    """
    auth = check_auth(connection, timeout=timeout)
    checks = []
    for check in _checks(connection, auth, open_backend):
        checks.append(check)
        if report:
            report(check)
    return DoctorReport(auth, Checklist(checks))


def _checks(
    connection: Connection,
    auth: AuthReport,
    open_backend: Callable[[Connection], AbstractContextManager[Backend]],
) -> Iterator[Check]:
    yield from _access(auth)
    if auth.ok and auth.product not in KNOWN:
        yield Check("abilities", Status.UNKNOWN, f"Unknown, as it is {auth.product}.")
    elif auth.ok:
        try:
            with open_backend(connection) as backend:
                yield from _inside(backend)
        except NotSupported as exc:
            yield Check("abilities", Status.PROBLEM, str(exc))
        except AitkError as exc:
            yield Check("abilities", Status.PROBLEM, str(exc), "Run this again.")
    if auth.state is not AuthState.UNREACHABLE:
        yield _clock(auth)
    text, remedy = limits(connection.url, auth.gateway)
    yield Check("proxy limits", Status.WARNING if remedy else Status.OK, text, remedy)


def _access(auth: AuthReport) -> Iterator[Check]:
    """Yield what is between us and the server: the network, the flavour, the password."""
    if auth.state is AuthState.UNREACHABLE:
        text = f"{auth.diagnosis} ({auth.detail})" if auth.detail else auth.diagnosis
        yield Check("reachability", Status.PROBLEM, text, auth.next_step)
        return
    yield Check("reachability", Status.OK, f"{auth.url} answers.")
    if auth.flavour is None:
        in_front = auth.state in {AuthState.MISSING, AuthState.REJECTED}
        name = "auth" if in_front else "flavour"
        yield Check(name, Status.PROBLEM, auth.diagnosis, auth.next_step)
        return
    status = Status.OK if auth.product in KNOWN else Status.UNKNOWN
    yield Check("flavour", status, f"It is {auth.product}.")
    if auth.ok:
        yield Check("auth", Status.OK, auth.diagnosis)
    else:
        yield Check("auth", Status.PROBLEM, auth.diagnosis, auth.next_step)
    yield _security(auth)


def _security(auth: AuthReport) -> Check:
    """Return the worst finding; none of them blocks training."""
    if not auth.findings:
        return Check("security", Status.OK, "No security problem was found.")
    worst, count = auth.findings[0], len(auth.findings) - 1
    more = f" And {count} more: see aitk-nb auth." if count else ""
    return Check("security", Status.WARNING, f"{worst.message}{more}", worst.remedy)


def _inside(backend: Backend) -> Iterator[Check]:
    """Yield what the server can do, and the state of its disk and its GPUs."""
    able = backend.abilities
    lacking = [ability.value for ability in Ability if ability not in able]
    text = f"Supports {len(able)} of {len(Ability)} operations"
    text += f"; it can't {', '.join(lacking)}." if lacking else "."
    trains = {Ability.TRAIN, Ability.UPLOAD} <= able
    yield Check("abilities", Status.OK if trains else Status.PROBLEM, text)
    for name, check in (("disk", _disk), ("GPU", _gpu)):
        try:
            yield check(backend)
        except AitkError as exc:
            yield Check(name, Status.PROBLEM, f"Request failed: {exc}")


def _disk(backend: Backend) -> Check:
    """Return the state of the disk, which only a job that found it full tells."""
    jobs = backend.list_jobs() if Ability.LIST_JOBS in backend.abilities else ()
    newest = next((job for job in jobs if job.status is JobStatus.ERROR), None)
    reason = explain(newest.info, "") if newest else None
    if newest and reason and "disk" in reason.text:
        text = f"The last failed job, {newest.name}, reported a full disk."
        return Check("disk", Status.WARNING, text, reason.remedy)
    return Check("disk", Status.SKIPPED, "This server doesn't report its free disk space.")


def _gpu(backend: Backend) -> Check:
    if Ability.GPUS not in backend.abilities:
        return Check("GPU", Status.SKIPPED, "This server doesn't report its GPUs.")
    gpus = backend.gpus()
    if not gpus:
        return Check("GPU", Status.WARNING, NO_GPU, "Start the server on a machine with a GPU.")
    shown = ", ".join(
        f"{gpu.name} ({gpu.memory_used:,} of {gpu.memory_total:,} MiB used)" for gpu in gpus
    )
    if all(gpu.memory_used > FULL * gpu.memory_total > 0 for gpu in gpus):
        remedy = "Wait for the running job, or stop what else uses the memory."
        return Check("GPU", Status.WARNING, f"No free memory on {shown}.", remedy)
    hot = [gpu for gpu in gpus if (gpu.temperature or 0) >= HOT]
    if hot:
        text = f"{hot[0].name} is at {hot[0].temperature} °C and throttles."
        return Check("GPU", Status.WARNING, text, "Check the machine's cooling.")
    return Check("GPU", Status.OK, f"{shown}.")


def _clock(auth: AuthReport) -> Check:
    if auth.skew is None:
        return Check("clock", Status.SKIPPED, "No response carried the server's time.")
    if abs(auth.skew) <= MAX_SKEW:
        return Check("clock", Status.OK, "The clocks agree.")
    found = next(finding for finding in auth.findings if finding.name == "clock")
    return Check("clock", Status.WARNING, found.message, found.remedy)
