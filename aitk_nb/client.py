"""`connect()` and the client that it returns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from aitk_nb import _html
from aitk_nb.connection.connection import Connection, Credentials, Secret, hidden
from aitk_nb.connection.embedded import locate
from aitk_nb.errors import AitkError
from aitk_nb.models.server import Ability, Flavour

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend
    from aitk_nb.datasets.api import Datasets
    from aitk_nb.jobs.api import Jobs
    from aitk_nb.models.server import Gpu
    from aitk_nb.server_settings import ServerSettings

__all__ = ["AIToolkitClient", "connect"]


def connect(
    url: str | Connection = "",
    credentials: Credentials | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    verify: bool | str | Path | None = None,
    operations: str | Path | Mapping[str, object] | None = None,
    *,
    results: Literal["served", "server"] = "served",
) -> AIToolkitClient:
    """Return a client of the server at `url`, having found out which flavour it is.

    Without `url` the variable AITK_URL says where, and without that an embedded server is started
    (`demo:`; with `demo:PATH` it keeps its data in PATH). `credentials` is the server's token, by
    default AITK_TOKEN or AI_TOOLKIT_AUTH; it is not checked here: the first call that needs it
    does. A Gradio app wants a user name and a password: a pair, or a token `user:password`.
    `headers` go to a gateway in front of the server, `verify` names a file with a private CA
    (False accepts any certificate).

    The rest is for Gradio apps. `operations` maps what is wanted to the name that a fork of AI
    Toolkit's app has for it (`{"start training": "/train"}`), or is a YAML file with that below
    `operations`. `results` says where jobs are written: below the folder that the app "served",
    so that losses and LoRA can be read, or where the "server" itself would.

    Raises:
        BadInput: the address is none, the credentials cannot be sent, or `operations` or
            `results` are not understood.
        ConnectionFailed: nobody answers there.
        ServerNotReady: something else answers there; a booting pod does.
        NotSupported: an app of Gradio 3 answers there.
    """
    credentials, headers = hidden(credentials, headers)
    # The network side takes longer to import than all the rest; nobody waits for it unasked.
    from aitk_nb.backends.detection.identify import detect
    from aitk_nb.backends.webui.backend import WebUI
    from aitk_nb.backends.wire.http import Http

    flavour, connection = detect(locate(url, credentials, headers, verify))
    if flavour is Flavour.GRADIO:
        from aitk_nb.backends.gradio.connect import gradio
        from aitk_nb.discovery.operations_file import api_names

        return AIToolkitClient(gradio(connection, api_names(operations), results))
    return AIToolkitClient(WebUI(Http(connection)))


class AIToolkitClient:
    """One AI Toolkit server: its datasets, its jobs, its GPUs.

    Use it as a context manager, or call `close`, to close its connections early.
    """

    def __init__(self, backend: Backend) -> None:
        """Use `backend`; nothing is sent until the first call."""
        self._backend = backend

    @property
    def url(self) -> str:
        """The server's address."""
        return self._backend.url

    @property
    def flavour(self) -> Flavour:
        """Which face of AI Toolkit this is."""
        return self._backend.flavour

    def can(self, ability: Ability) -> bool:
        """Return whether the server can do it at all."""
        return ability in self._backend.abilities

    @cached_property
    def datasets(self) -> Datasets:
        """Send datasets, and see what is there."""
        from aitk_nb.datasets.api import Datasets

        return Datasets(self._backend)

    @cached_property
    def jobs(self) -> Jobs:
        """Start trainings, and find those that are there."""
        from aitk_nb.jobs.api import Jobs

        return Jobs(self._backend)

    @cached_property
    def settings(self) -> ServerSettings:
        """Read and change the server's own settings, such as its Hugging Face token."""
        from aitk_nb.server_settings import ServerSettings

        return ServerSettings(self._backend)

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the server's GPUs; empty when it has none."""
        return self._backend.gpus()

    def meta(self) -> Mapping[str, str]:
        """Return harmless facts that the server tells of itself."""
        return self._backend.meta()

    def close(self) -> None:
        """Close the connections."""
        self._backend.close()

    def __enter__(self) -> AIToolkitClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AIToolkitClient {self.flavour.value} {self.url}>"

    def _repr_html_(self) -> str:
        able = self._backend.abilities
        rows: list[tuple[object, object]] = [
            ("flavour", self.flavour.value),
            ("address", self.url),
            ("can", ", ".join(sorted(ability.value for ability in able))),
        ]
        return _html.definition([*rows, *self._facts()], caption="AI Toolkit server")

    def _facts(self) -> list[tuple[str, str]]:
        try:
            return list(self._backend.meta().items())
        except AitkError:
            return []  # showing an object must not fail because the server is gone
