"""Captions written by the server's own model, by way of `gradio_client`."""

import importlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from aitk_nb.backends.gradio.app import CAPTION, GradioApp
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.backends.wire.proxies import named_proxy
from aitk_nb.errors import BadInput, ConnectionFailed, MissingExtra, NotSupported, Rejected

_ANALYTICS: Final = "GRADIO_ANALYTICS_ENABLED"
_HUB: Final = "HF_HUB_DISABLE_TELEMETRY"
_ENVIRONMENT = threading.Lock()
_NO_MODEL: Final = ("huggingface.co", "florence", "No module named")


def write_captions(
    app: GradioApp, images: Sequence[Path], trigger: str, progress: Callable[[int, int], None]
) -> tuple[str, ...]:
    """Return a caption for each image; `progress` is told images done and images in all.

    An interrupt ends it on the server too: a generator really stops when it is canceled.

    Raises:
        BadInput: more images than the app takes.
        NotSupported: the server has no captioning model.
        Rejected: it failed there; the message has the server's words.
        ConnectionFailed: the connection broke.
    """
    function = app.function(CAPTION)
    boxes = len(function.parameters) - 2
    if len(images) > boxes:
        raise BadInput(f"The app captions at most {boxes} images at once, not {len(images)}.")
    progress(0, len(images))
    with _client(app.http) as (client, module):
        job = client.submit(
            [module.handle_file(str(path)) for path in images],
            trigger,
            *[""] * boxes,
            api_name=function.name,
        )
        try:
            for done, _ in enumerate(job, start=1):
                progress(min(done, len(images)), len(images))
            written = job.result()
        except BaseException as exc:  # noqa: BLE001  (all is raised again, in our words)
            job.cancel()
            raise _translated(app.http, exc, module) from None
    return tuple(app.http.clean(str(text)) for text in written[: len(images)])


@contextmanager
def _client(http: GradioHttp) -> Iterator[tuple[Any, Any]]:
    """Yield a client that tells nobody anything: no token of Hugging Face's, no telemetry."""
    try:
        module = importlib.import_module("gradio_client")
    except ImportError as exc:
        raise MissingExtra("gradio_client", "pip install gradio_client") from exc
    # Of the environment only the proxy for this address counts, and the trusted certificates.
    options = {"cookies": dict(http.cookies), "timeout": 100.0, "trust_env": False}
    if proxy := named_proxy(http.url)[1]:
        options["proxy"] = proxy
    trusted = httpx.create_ssl_context() if http.verify is True else http.verify
    try:
        with _no_telemetry():
            client = module.Client(
                http.url,
                token=False,  # None would send the one that is saved on this machine
                verbose=False,
                analytics_enabled=False,
                download_files=False,
                headers=dict(http.extra_headers),
                ssl_verify=trusted,
                httpx_kwargs=options,
            )
    except Exception as exc:  # noqa: BLE001  (of many kinds, each release its own)
        raise _translated(http, exc, module) from None
    try:
        yield client, module
    finally:
        client.close()


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Switch off, while a client is made, all that would tell others of it.

    In gradio_client 2.7 the argument for that alone has no effect: it is or-ed with this variable.
    And huggingface_hub 2.4 asks huggingface.co which programs it might be run by, to name them in
    the client's headers; it reads its own variable when it is imported, and that may be long ago.
    """
    hub = importlib.import_module("huggingface_hub.constants")
    with _ENVIRONMENT:
        before, told = os.environ.get(_ANALYTICS), getattr(hub, _HUB, False)
        os.environ[_ANALYTICS] = "False"
        setattr(hub, _HUB, True)
        try:
            yield
        finally:
            setattr(hub, _HUB, told)
            if before is None:
                del os.environ[_ANALYTICS]
            else:
                os.environ[_ANALYTICS] = before


def _translated(http: GradioHttp, exc: BaseException, module: Any) -> BaseException:
    if not isinstance(exc, Exception):
        return exc  # an interrupt
    words = " ".join(http.clean(str(exc)).split())[:300].strip("'\"")
    if isinstance(exc, module.exceptions.AppError):
        if any(word in words for word in _NO_MODEL):
            return NotSupported(
                "write captions",
                "Gradio",
                f"It cannot load the model for that ({words}). Write the captions into .txt files.",
            )
        return Rejected("write captions", words)
    return ConnectionFailed(http.url, words or type(exc).__name__)
