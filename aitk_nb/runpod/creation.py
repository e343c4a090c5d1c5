"""`Creates`: makes a pod, and never a second one for the same name."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from aitk_nb._display import session
from aitk_nb.connection.secret import Secret
from aitk_nb.errors import AitkError, BadInput, RunPodError
from aitk_nb.runpod import offers
from aitk_nb.runpod.account import TEMPLATE, Account
from aitk_nb.runpod.offers import Cloud, Offer
from aitk_nb.runpod.pod import API, MAX_HOURS, TOKEN, Pod, read_pod
from aitk_nb.runpod.wire import may_have_arrived

APPEARS = 60.0
"""Seconds in which a pod shows that was made by a call that failed."""
_EVERY = 5.0


class Creates(Account):
    """An account in which pods are made."""

    def create(
        self,
        name: str = "",
        *,
        gpu: str = offers.ANY,
        template: str = TEMPLATE,
        cloud: Cloud = "SECURE",
        data_center: str = "",
        max_hours: float | None = None,
        max_price: float | None = None,
    ) -> Pod:
        """Create a pod, unless there is one of that name, which is returned then.

        RunPod may create a pod and answer with an error. So before anything is tried again, the pod
        is looked for by its name for a minute. Its web UI gets a new random token; the template's
        own is the word `password`.

        Args:
            name: Its name, by which it is found again; by default a new one.
            gpu: As for `plan`.
            template: Id of the template.
            cloud: As for `plan`.
            data_center: RunPod's id of one; by default any.
            max_hours: Hours after each start for which it is meant to run. RunPod has no timer: it
                stands in the pod's environment, and stops nothing by itself.
            max_price: USD per hour that it may cost at most, without its disk.

        Returns:
            The pod, which boots now and costs; see `wait_ready`.

        Raises:
            RunPodError: No GPU is free, the credit is used up, or the request is refused.
            BadInput: A limit is missing where nobody could be asked, or is invalid.
        """
        self._check_limits(max_hours, max_price)
        name = name or f"aitk-nb-{secrets.token_hex(4)}"
        if name in {pod.name for pod in self.list()}:
            return self.get(name)
        every = self._offers(cloud)
        fitting = offers.chosen(every, gpu)
        limit = math.inf if max_price is None else max_price
        affordable = [one for one in fitting if one.price <= limit]
        if not affordable:
            raise BadInput(_none_fits(gpu, fitting, every, limit))
        env = {} if max_hours is None else {MAX_HOURS: f"{max_hours:g}"}
        body = {"name": name, "templateId": template, "cloud": cloud, "env": env}
        if data_center:
            body["dataCenterIds"] = [data_center]
        pod = self._first(body, affordable, every)
        if pod.price > limit:
            self._end(pod)
            raise BadInput(
                f"RunPod gave a pod at ${pod.price:.2f}/h, more than max_price {limit:g}. It was "
                "terminated at once."
            )
        return pod

    def _check_limits(self, max_hours: float | None, max_price: float | None) -> None:
        given = {"max_hours": max_hours, "max_price": max_price}
        for name, value in given.items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BadInput(f"{name} must be a number above 0.")
        if self.api == API and not session.is_attended() and None in given.values():
            raise BadInput(
                "A pod that nobody watches requires max_hours and max_price: it costs until it is "
                "stopped."
            )

    def _first(
        self, body: Mapping[str, Any], wanted: Sequence[Offer], every: Sequence[Offer]
    ) -> Pod:
        """Return a pod with the first of the GPU types that is to be had."""
        failure = RunPodError("create the pod")
        token = Secret(secrets.token_urlsafe(24))
        for offer in wanted:
            try:
                return self._one({**body, "gpu": {"id": offer.id, "count": 1}}, token)
            except RunPodError as exc:
                # 400 is no capacity or a wrong request, and 403 a pool that is closed to us.
                if exc.status not in {400, 403}:
                    raise
                failure = exc
        others = [one for one in offers.ranked(every) if one not in wanted]
        free = next((one for one in others if one.availability != "NONE"), None)
        advice = f"The next choice is {free}: gpu={free.name!r}." if free else ""
        raise RunPodError(
            "create the pod with any of these: " + ", ".join(one.name for one in wanted),
            failure.reply,
            failure.status,
            f"Either no such GPU is free, or the request is wrong. {advice}".strip(),
        )

    def _one(self, body: Mapping[str, Any], token: Secret) -> Pod:
        """Return the pod of one request, which is sent again only if it has made none."""
        what = "create the pod"
        try:
            return read_pod(self._wire.create(body, {TOKEN: token}, what), self.api)
        except AitkError as exc:
            if not may_have_arrived(exc):
                raise
        if pod := self._appeared(body["name"]):
            return pod
        try:
            return read_pod(self._wire.create(body, {TOKEN: token}, what), self.api)
        except AitkError as exc:
            if not may_have_arrived(exc):
                raise
            if pod := self._appeared(body["name"]):
                return pod
            raise

    def _appeared(self, name: str) -> Pod | None:
        """Return a pod that shows within `APPEARS` seconds."""
        until = self._clock() + APPEARS
        while True:
            found = [pod for pod in self.list() if pod.name == name]
            if found or self._clock() >= until:
                return found[0] if found else None
            self._sleep(_EVERY)

    def _end(self, pod: Pod) -> None:
        path = f"/v2/pods/{quote(pod.id, safe='')}"
        try:
            self._wire.again("DELETE", path, f"terminate {pod.name}")
        except RunPodError as exc:
            # The first of two attempts has done it.
            if exc.status != 404:
                raise


def _none_fits(gpu: str, fitting: Sequence[Offer], every: Sequence[Offer], limit: float) -> str:
    if fitting:
        return f"max_price {limit:g} is below the price of {fitting[0]}."
    names = ", ".join(sorted(one.name for one in every))
    return f"RunPod lists no GPU {gpu!r} in this cloud; it has: {names}."
