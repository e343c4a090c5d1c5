"""`ServerEndpoints`: which endpoints one server has, as the API tells no version.

Why it is so: docs/behavior.md#authentication
"""

from collections.abc import Iterator
from contextlib import contextmanager

from aitk_nb.backends.webui import catalog
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each
from aitk_nb.errors import NotSupported, UnexpectedReply
from aitk_nb.models.server import Ability

UPDATE = "Update AI Toolkit on the server."
"""What to do where nothing else helps."""


class ServerEndpoints:
    """Finds out what one web UI has, when that matters."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._abilities: frozenset[Ability] | None = None

    def has(self, path: str) -> bool:
        """Return whether the endpoint exists: no endpoint has PUT, and one that exists says 405.

        Where something in front of the server answers anything but 404, it counts as existing.
        """
        return self._http.raw("PUT", path).status_code != 404

    @contextmanager
    def required(self, path: str, action: str, instead: str = UPDATE) -> Iterator[None]:
        """Raise `NotSupported` where the block gets an answer that only a missing endpoint has."""
        try:
            yield
        except UnexpectedReply as exc:
            if self.has(path):
                raise
            raise NotSupported(action, "dated web UI", instead) from exc

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the server can do; everything, as long as it does not tell."""
        if self._abilities is not None:
            return self._abilities
        probed = [entry for entry in catalog.CATALOG if entry.name in {"auth", *catalog.OPTIONAL}]
        answers = each(lambda entry: self.has(entry.probe_path), probed)
        there = {entry.name: answer for entry, answer in zip(probed, answers, strict=True)}
        states = dict.fromkeys(catalog.PATHS, "present")
        if there["auth"] is True:  # else something in front of it answers to PUT
            states |= {name: "absent" for name, answer in there.items() if answer is False}
        found = catalog.abilities(catalog.endpoints(states, "unknown"))
        if {*map(type, answers)} == {bool}:
            self._abilities = found
        return found
