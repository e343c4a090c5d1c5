"""`connect()` and the client that it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aitk_nb._display import html
from aitk_nb.connection import Connection, ConnectionOptions, Credentials, Secret, hidden, locate
from aitk_nb.models.server import Ability, Flavour, Gpu
from aitk_nb.results.api import TriesLoras

if TYPE_CHECKING:
    from aitk_nb.auth.report import AuthReport
    from aitk_nb.backends.base import Backend
    from aitk_nb.datasets.api import Datasets
    from aitk_nb.doctor import DoctorReport
    from aitk_nb.inference.api import Inference
    from aitk_nb.jobs.api import Jobs
    from aitk_nb.loras.api import Loras
    from aitk_nb.results.safe_to_stop import SafeToStop
    from aitk_nb.server_settings import ServerSettings


@dataclass(frozen=True, slots=True)
class GradioOptions:
    """Options of `connect` for Gradio apps; other servers ignore them.

    Example:
        >>> options = aitk_nb.GradioOptions(results="server", operations={"start training": "/go"})
        >>> client = aitk_nb.connect(gradio=options)
    """

    results: Literal["served", "server"] = "served"
    """Where jobs are written: to a folder that the app "served", so that losses and LoRAs can be
    read, or to the "server"'s own folder."""
    operations: str | Path | Mapping[str, object] | None = None
    """The function of a fork for each operation, or a YAML file with them below `operations`.
    Training requires the fields of AI Toolkit's form under their names."""


def connect(
    url: str | Connection = "",
    *,
    token: Secret | str | None = None,
    credentials: Credentials | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    verify: bool | str | Path | None = None,
    outage: float | None = None,
    gradio: GradioOptions = GradioOptions(),  # it is frozen
) -> AIToolkitClient:
    """Return a client of the server at `url`, whose flavour is detected.

    If the server lists the architectures that it can train, their presets are used from now on.

    The credentials are not checked: the first call that needs them does that.

    Args:
        url: Address of the server, or a `Connection`; by default AITK_URL, else `demo:`. `demo:`
            starts an embedded server, and `demo:PATH` keeps its data in PATH.
        token: The server's token; by default AITK_TOKEN or AI_TOOLKIT_AUTH.
        credentials: User name and password of a Gradio app or a gateway; by default
            AITK_USERNAME and AITK_PASSWORD.
        headers: Extra headers for a gateway in front of the server.
        verify: File with a private CA; False accepts any certificate.
        outage: Seconds that an upload or a download waits for a server that is away; by default
            120.
        gradio: Options for Gradio apps.

    Returns:
        The client, which is also a context manager.

    Raises:
        BadInput: The address, the credentials or an option is invalid.
        ConnectionFailed: Nothing answers at the address.
        ServerNotReady: Something else answers there, such as a pod that is still starting.
        NotSupported: A Gradio 3 app answers there.

    Example:
        >>> with aitk_nb.connect(client.url, token="my-token") as other:
        ...     other
        <AIToolkitClient webui http://127.0.0.1:...>
    """
    options: ConnectionOptions = {
        "token": token,
        "credentials": credentials,
        "headers": headers,
        "verify": verify,
    }
    del token, credentials, headers
    connection = locate(url, **hidden(options))
    if outage is not None:
        connection = replace(connection, outage=outage)
    client = AIToolkitClient(open_backend(connection, gradio), connection)
    client.architectures()
    return client


def open_backend(
    connection: Connection,
    gradio: GradioOptions = GradioOptions(),  # it is frozen
) -> Backend:
    """Return the backend for the server that answers at `connection`; raises as `connect` does."""
    # The network side takes longer to import than all the rest.
    from aitk_nb.backends.detection.identify import detect
    from aitk_nb.backends.webui.backend import WebUI
    from aitk_nb.backends.wire.http import Http

    flavour, found = detect(connection)
    if flavour is Flavour.GRADIO:
        from aitk_nb.backends.gradio.backend import Gradio
        from aitk_nb.discovery.operations_file import api_names

        return Gradio.connected(found, api_names(gradio.operations), gradio.results)
    return WebUI(Http(found))


class AIToolkitClient(TriesLoras):
    """One AI Toolkit server with its datasets, jobs and GPUs, as `connect` returns it.

    Use it as a context manager, or call `close`, to close its connections early.

    Example:
        >>> with aitk_nb.connect() as client:
        ...     [gpu.memory_total for gpu in client.gpus()]
        [8192]
    """

    def __init__(self, backend: Backend, connection: Connection | None = None) -> None:
        """Use `backend`; nothing is sent until the first call.

        Args:
            backend: What sends the requests.
            connection: What `check_auth` and `doctor` try; by default the backend's address.
        """
        self._backend = backend
        self._connection = connection or Connection(backend.url)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._backend.url

    @property
    def flavour(self) -> Flavour:
        """Whether this is a web UI or a Gradio app."""
        return self._backend.flavour

    def can(self, ability: Ability) -> bool:
        """Return whether the server supports an `ability`."""
        return ability in self._backend.abilities

    @cached_property
    def datasets(self) -> Datasets:
        """Upload datasets, and list those on the server."""
        from aitk_nb.datasets.api import Datasets

        return Datasets(self._backend)

    @cached_property
    def jobs(self) -> Jobs:
        """Start training jobs, and find those on the server."""
        from aitk_nb.jobs.api import Jobs

        return Jobs(self._backend)

    @cached_property
    def loras(self) -> Loras:
        """List the LoRA files that the server has, and upload one."""
        from aitk_nb.loras.api import Loras

        return Loras(self._backend)

    @cached_property
    def inference(self) -> Inference:
        """Generate images with the server's own engine, with and without a LoRA."""
        from aitk_nb.inference.api import Inference

        return Inference(self._backend)

    @cached_property
    def settings(self) -> ServerSettings:
        """Read and change the server's own settings, such as its Hugging Face token."""
        from aitk_nb.server_settings import ServerSettings

        return ServerSettings(self._backend)

    def check_auth(self, *, timeout: float = 10.0) -> AuthReport:
        """Check authentication, and find security problems; read-only.

        Args:
            timeout: Seconds to wait for each response.

        Returns:
            Whether the server accepts this client's credentials, and what is unsafe about it.

        Raises:
            BadInput: An extra header can't be sent.

        Example:
            >>> client.check_auth().state
            <AuthState.OPEN: 'open'>
        """
        from aitk_nb.auth.api import check_auth

        return check_auth(self._connection, timeout=timeout)

    def doctor(self, *, timeout: float = 10.0) -> DoctorReport:
        """Check the server from the network to its GPUs; read-only.

        Args:
            timeout: Seconds to wait for each response of the authentication check.

        Returns:
            A checklist whose `ok` is false if something would block training.

        Raises:
            BadInput: An extra header can't be sent.

        Example:
            >>> client.doctor().ok
            True
        """
        from aitk_nb.doctor import doctor

        return doctor(self._connection, lambda _: nullcontext(self._backend), timeout=timeout)

    def safe_to_stop(self, folders: Sequence[str | Path] = ()) -> SafeToStop:
        """Return what would be lost if the server's machine stopped now.

        Args:
            folders: Where to look for copies too, besides what aitk-nb has transferred.

        Raises:
            BadInput: One of the folders is not there.
        """
        from aitk_nb.results.safe_to_stop import safe_to_stop

        return safe_to_stop(self._backend, folders)

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the server's GPUs, with memory in MiB; empty if it has none.

        Raises:
            NotSupported: The server does not list them: `client.can(Ability.GPUS)` is false.
        """
        return self._backend.gpus()

    def meta(self) -> Mapping[str, str]:
        """Return the server's description of itself by name, without secrets."""
        return self._backend.meta()

    def architectures(self) -> tuple[str, ...]:
        """Return the architectures that the server lists, and use their presets from now on.

        `connect` has done so. Call it to return to this server after connecting to another one.

        Returns:
            Their names as `TrainingParams` takes them; empty if the server does not list them, as
            before AI Toolkit 0.13.16. Then the package's own presets are used.

        Example:
            >>> "flux" in client.architectures()
            True
        """
        from aitk_nb.backends.optional import architectures
        from aitk_nb.training import presets

        listed = architectures(self._backend)
        presets.use(listed)
        return tuple(listed)

    def close(self) -> None:
        """Close the connections."""
        self._backend.close()

    def __enter__(self) -> AIToolkitClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AIToolkitClient {self.flavour.value} {self.url}>"

    def _repr_html_(self) -> str:
        lacks = ", ".join(one.value for one in Ability if one not in self._backend.abilities)
        rows = [
            ("flavour", self.flavour.value),
            ("address", self.url),
            ("can", f"everything, except {lacks}" if lacks else "everything that aitk-nb asks for"),
        ]
        return html.definition(rows, caption="AI Toolkit server")
