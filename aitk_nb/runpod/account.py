"""`Account`: the pods, GPU types and templates that RunPod lists for a key."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self
from urllib.parse import quote

from aitk_nb.connection.connection import DEMO
from aitk_nb.connection.embedded import runpod_api
from aitk_nb.connection.secret import Secret, ask_secret, stored
from aitk_nb.errors import BadInput, NotFound
from aitk_nb.runpod import offers
from aitk_nb.runpod.offers import Cloud, Offer, PodPlan, Template
from aitk_nb.runpod.pod import API, Pod, PodList, read_pod
from aitk_nb.runpod.wire import Wire

KEY = "RUNPOD_API_KEY"
TEMPLATE = "0fqzfjy6f3"
"""AI Toolkit - ostris - ui - official."""


class Account:
    """What an account has, and could have."""

    def __init__(
        self,
        api: str = "",
        *,
        key: Secret | str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use an account; nothing is sent yet.

        Args:
            api: Address of the API; by default AITK_RUNPOD, else RunPod's own. `demo:` starts an
                imitation in this process, where nothing costs anything.
            key: The account's key; by default RUNPOD_API_KEY, the keyring, or what is typed. Those
                are sent to RunPod's own address only.
            clock: Seconds, for deadlines.
            sleep: Waits for seconds.
        """
        given = Secret(key) if isinstance(key, str) else key
        del key
        self.api = runpod_api(api or os.environ.get("AITK_RUNPOD") or API)
        self.key = given or _key(self.api)
        self._clock = clock
        self._sleep = sleep
        self._wire = Wire(self.api, self.key, sleep)

    def __repr__(self) -> str:
        return f"<RunPod {self.api}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    # -- looking -----------------------------------------------------------------------------------

    def list(self) -> PodList:
        """Return the pods of the account, also those of others than aitk-nb."""
        answer = self._wire.get("/v2/pods", "list the pods")
        return PodList(read_pod(body, self.api) for body in answer.get("pods", ()))

    def get(self, pod: Pod | str) -> Pod:
        """Return a pod as it is now.

        Args:
            pod: A pod, its id or its name.

        Returns:
            The pod.

        Raises:
            NotFound: There is none.
            BadInput: Several have that name.
        """
        wanted = pod.id if isinstance(pod, Pod) else pod
        known = self.list()
        found = [one for one in known if one.id == wanted]
        found = found or [one for one in known if one.name == wanted]
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            raise BadInput(f"Several pods are named {wanted!r}: use an id, one of {ids}.")
        if not found:
            raise NotFound("pod", wanted, [one.name for one in known])
        return found[0]

    def templates(self, text: str = "AI Toolkit") -> tuple[Template, ...]:
        """Return the templates with `text` in their name or image, of all lists.

        RunPod has no search and lists at most 100 of each source, so that one which is not here may
        exist all the same. Anyone can publish one under any name: compare id and image.
        """
        found = []
        for source in ("official", "verified", "community", "own"):
            query = {} if source == "own" else {"source": source}
            path = "/v2/templates" if source == "own" else "/v2/catalog/templates"
            answer = self._wire.get(path, "list the templates", **query)
            found += [offers.read_template(one, source) for one in answer.get("templates", ())]
        wanted = text.casefold()
        return tuple(one for one in found if wanted in f"{one.name} {one.image}".casefold())

    def plan(
        self,
        gpu: str = offers.ANY,
        *,
        cloud: Cloud = "SECURE",
        template: str = TEMPLATE,
        hours: float = 0.0,
    ) -> PodPlan:
        """Return what could be created, at which price; nothing is created.

        Args:
            gpu: `RTX 4090`, `RTX 5090`, another name or id of RunPod's, or `any` with 24 GB.
            cloud: `SECURE`, or `COMMUNITY`: machines of other people.
            template: Id of the template.
            hours: How long the training takes, as `client.jobs.estimate` tells, for its cost.

        Returns:
            The GPU types, those that are available and cheap first.

        Raises:
            RunPodError: The key or the template is not accepted.
        """
        path = f"/v2/templates/{quote(template, safe='')}"
        made = offers.read_template(self._wire.get(path, "read the template"), "")
        plan = PodPlan(offers.chosen(self._offers(cloud), gpu))
        plan.template, plan.hours, plan.read_at = str(made), hours, datetime.now(UTC)
        return plan

    def _offers(self, cloud: Cloud) -> Sequence[Offer]:
        query = {"include": "AVAILABILITY", "product": "POD", "cloud": cloud}
        answer = self._wire.get("/v2/catalog/gpus", "list the GPUs", **query)
        return offers.read_offers(answer, cloud)


def _key(api: str) -> Secret:
    """Return the key of the account; the imitation gets none of it."""
    if api != API:
        return Secret(DEMO.strip(":"))
    if found := os.environ.get(KEY):
        return Secret(found)
    return stored(API) or ask_secret("RunPod API key: ", KEY)
