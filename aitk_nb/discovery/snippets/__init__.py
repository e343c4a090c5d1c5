"""Code that calls what a server offers, in five languages, ready to run.

What a server says (names, labels, defaults) is put in as literals of the language only, so that
no text of it can become code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aitk_nb import _html
from aitk_nb.discovery.snippets import gradio_call, rest_call
from aitk_nb.discovery.snippets.operation_programs import client_of, has_operation, program
from aitk_nb.discovery.snippets.request import request_of
from aitk_nb.discovery.snippets.typescript import function_of
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import OPERATIONS, Endpoint
from aitk_nb.models.server import Flavour

if TYPE_CHECKING:
    from aitk_nb.discovery.survey import Survey

__all__ = ["LANGUAGES", "Snippet", "has_operation", "snippet", "typescript_client"]

LANGUAGES = ("curl", "python", "gradio_client", "javascript", "typescript")


class Snippet(str):
    """Code; as the last line of a cell it shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        # IPython asks a text, of any class, for this and not for the bundle's plain form.
        return str(self)

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": _html.code(str(self))}


def snippet(report: Survey, name: str, language: str, values: Mapping[str, object]) -> Snippet:
    """Return code that calls an endpoint or does an operation; see `DiscoveryReport.snippet`.

    Raises:
        BadInput: there is no such endpoint, operation, language or value.
    """
    return Snippet(_snippet(report, name, language, values))


def _snippet(report: Survey, name: str, language: str, values: Mapping[str, object]) -> str:
    if language not in LANGUAGES:
        raise BadInput(f"{language!r} is no language of snippets: {', '.join(LANGUAGES)} are.")
    if report.flavour is None:
        raise BadInput("No training server answered, so that there is nothing to call.")
    if language == "gradio_client" and report.flavour is Flavour.WEBUI:
        raise BadInput("gradio_client speaks to Gradio apps only; for the web UI use 'python'.")
    words = name.replace("_", " ").lower()
    operation = next((each for each in OPERATIONS if each.lower() == words), None)
    endpoint = _endpoint(report, name)
    if endpoint is not None and (operation is None or name != operation):
        return _call(report, endpoint, language, values)
    if operation is not None:
        return program(report, operation, language, values)
    known = ", ".join([*OPERATIONS, *(each.name for each in report.endpoints)])
    raise BadInput(f"There is no endpoint or operation named {name!r}; there are {known}.")


def typescript_client(report: Survey) -> Snippet:
    """Return a TypeScript file with a client; see `DiscoveryReport.typescript_client`."""
    if report.flavour is None:
        raise BadInput("No training server answered, so that there is nothing to call.")
    return Snippet(client_of(report))


def _endpoint(report: Survey, name: str) -> Endpoint | None:
    by_name = {endpoint.name: endpoint for endpoint in report.endpoints}
    return by_name.get(name) or by_name.get(f"/{name}")


def _call(report: Survey, endpoint: Endpoint, language: str, values: Mapping[str, object]) -> str:
    if language == "typescript":
        return function_of(endpoint, report.prefix)
    auth = _sent(report, endpoint)
    if endpoint.index is not None or endpoint.name.startswith("/"):
        call = gradio_call.call_of(endpoint, report.prefix, values)
        return gradio_call.EMITTERS[language](call, report.url, auth)
    if language == "gradio_client":
        raise BadInput(f"gradio_client calls functions only; for {endpoint.name} use 'python'.")
    if endpoint.name == "login" and report.flavour is Flavour.GRADIO:
        # Who logs in before each call need not do so again; the config shows that it worked.
        endpoint = replace(_endpoint(report, "config") or endpoint, does=endpoint.does)
        auth = "login"
    return rest_call.EMITTERS[language](request_of(endpoint, values), report.url, auth)


def _sent(report: Survey, endpoint: Endpoint) -> str:
    """Return what is sent to prove who asks: nothing to an endpoint that is public to read."""
    public = endpoint.auth == "public" and endpoint.method == "GET"
    return "none" if public else report.auth
