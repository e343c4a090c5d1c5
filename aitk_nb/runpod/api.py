"""`RunPod`: the pods of an account, from a key to a ready server, and to a stopped pod."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

from aitk_nb._display.progress import ProgressOption, reporting
from aitk_nb.backends.detection.identify import detect
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import AitkError, BadInput, ConnectionFailed, RunPodError, ServerNotReady
from aitk_nb.runpod.cost import PodCost, billed, estimated
from aitk_nb.runpod.creation import Creates
from aitk_nb.runpod.pod import Pod, PodStatus, read_pod

READY = 1800.0


class Asks(Protocol):
    """A client, as far as it is asked whether its machine may be stopped."""

    def safe_to_stop(self) -> object:
        """Return what is true if nothing would be lost."""
        ...


class RunPod(Creates):
    """The pods of a RunPod account, by its API v2.

    Example:
        >>> with aitk_nb.RunPod("demo:") as pods:
        ...     pod = pods.create("my-training", gpu="RTX 4090", max_hours=2, max_price=1.0)
        ...     with aitk_nb.connect(pods.connection(pods.wait_ready(pod))) as client:
        ...         stopped = pods.stop(pod, client=client)
        >>> stopped.status
        <PodStatus.EXITED: 'EXITED'>
    """

    def wait_ready(
        self,
        pod: Pod | str,
        *,
        timeout: float = READY,
        every: float = 2.0,
        progress: ProgressOption = "auto",
    ) -> Pod:
        """Wait until a pod runs and its server answers.

        Args:
            pod: A pod, its id or its name.
            timeout: Seconds to wait at most.
            every: Seconds between looks.
            progress: Gets the seconds waited and `timeout`.

        Returns:
            The pod.

        Raises:
            ServerNotReady: It was not ready in time; it goes on costing.
            AitkError: The pod was stopped or has failed.
        """
        found, began, seen = self.get(pod), self._clock(), "nothing"
        with reporting(progress, f"{found.name} boots", in_bytes=False) as report:
            while True:
                found = self.get(found)
                if found.status is PodStatus.RUNNING:
                    try:
                        detect(self.connection(found))
                    except ConnectionFailed as exc:
                        seen = exc.reason or str(exc)
                    else:
                        return found
                elif not found.status.is_on:
                    raise AitkError(f"{found.name} is {found.status.value}. {self._ending(found)}")
                waited = self._clock() - began
                report(round(min(waited, timeout)), round(timeout))
                if waited >= timeout:
                    break
                self._sleep(every)
        raise ServerNotReady(
            found.url,
            f"{seen} after {timeout:g} s ({found.status.value})",
            f"{self._ending(found)} It costs ${found.price:.2f}/h until you stop it: "
            f"aitk-nb runpod stop {found.name} --anyway",
        )

    def _ending(self, pod: Pod) -> str:
        try:
            lines = self._wire.log(pod.id, 5)
        except AitkError:
            return "Its log can't be read."
        return f"Its log ends: {' / '.join(lines)}." if lines else "Its log is empty."

    # -- using and ending --------------------------------------------------------------------------

    def connection(self, pod: Pod | str) -> Connection:
        """Return address and token of the web UI in a `pod`, for `connect`.

        Raises:
            AitkError: The pod is stopped, or exposes no web server.
        """
        found = pod if isinstance(pod, Pod) else self.get(pod)
        if not found.status.is_on:
            raise AitkError(
                f"{found.name} is {found.status.value}. Start it: aitk-nb runpod start {found.name}"
            )
        if not found.url:
            raise AitkError(f"{found.name} exposes no HTTP port, so it has no public address.")
        return Connection(found.url, token=found.token)

    def start(self, pod: Pod | str) -> Pod:
        """Start a stopped pod, which costs again.

        Args:
            pod: A pod, its id or its name.

        Returns:
            The pod, which boots.

        Raises:
            RunPodError: Its machine has no GPU free now, or it can't be started.
        """
        found = self.get(pod)
        if found.status.is_on:
            return found
        try:
            return self._act(found, "start")
        except RunPodError as exc:
            if exc.status != 400:
                raise
            advice = "A stopped pod may find no GPU free: try later, or create another pod."
            raise RunPodError(f"start {found.name}", exc.reply, 400, advice) from exc

    def stop(self, pod: Pod | str, *, client: Asks | None = None, anyway: bool = False) -> Pod:
        """Stop a pod; its GPU costs no more, its disk is erased except for what is mounted.

        Args:
            pod: A pod, its id or its name.
            client: A client of the server in it, which is asked whether anything would be lost.
            anyway: Stop it without asking.

        Returns:
            The pod, stopped. A disk may go on costing until it is terminated.

        Raises:
            BadInput: Something would be lost, or there is no client to ask.
        """
        found = self.get(pod)
        if not found.status.is_on:
            return found
        if not anyway:
            if client is None:
                raise BadInput(
                    "Pass the client of the server in the pod, client=…, to check that nothing is "
                    "lost, or anyway=True."
                )
            safe = client.safe_to_stop()
            if not safe:
                raise BadInput(f"{safe}\nNothing was stopped; anyway=True (--anyway) stops it.")
        return self._act(found, "stop")

    def terminate(self, name: str) -> None:
        """Delete a pod with all that is on it, for good.

        Args:
            name: Its exact name; an id is not enough.

        Raises:
            NotFound: No pod has that name.
        """
        found = self.get(name)
        if found.name != name:
            raise BadInput(f"To terminate this pod, give its exact name: {found.name!r}.")
        self._end(found)

    def _act(self, pod: Pod, action: str) -> Pod:
        path, what = f"/v2/pods/{quote(pod.id, safe='')}/action", f"{action} {pod.name}"
        try:
            return read_pod(self._wire.again("POST", path, what, {"action": action}), self.api)
        except RunPodError as exc:
            if exc.status != 409:
                raise
            now = self.get(pod)
            if now.status.is_on is (action == "start"):
                return now
            raise

    def logs(self, pod: Pod | str, *, tail: int = 100) -> str:
        """Return the last lines of a pod's log.

        Args:
            pod: A pod, its id or its name.
            tail: Lines, at most 5000.

        Returns:
            The lines. RunPod keeps the log open, so that this takes a second and a half.

        Raises:
            ConnectionFailed: Nothing came.
        """
        return "\n".join(self._wire.log(self.get(pod).id, tail))

    def cost(self, pod: Pod | str) -> PodCost:
        """Return what a pod has cost, with its disk, as RunPod bills it.

        Args:
            pod: A pod, also a terminated one, its id or its name.

        Returns:
            The sum of its bill; while the billing does not have it yet, an estimate.
        """
        found = pod if isinstance(pod, Pod) else self.get(pod)
        query = {
            "podId": found.id,
            "startTime": found.created.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "bucketSize": "hour",
        }
        answer = self._wire.get("/v2/billing/pods", "read the pod's bill", **query)
        return billed(answer, found.id) or estimated(found, datetime.now(UTC))
