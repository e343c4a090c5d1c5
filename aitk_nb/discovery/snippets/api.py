"""`snippet`: a program for an endpoint or an operation, in one of five languages.

What a server says (names, labels, defaults) is put in as literals of the language only, so that
no text of it can become code.
"""

from collections.abc import Mapping
from dataclasses import replace

from aitk_nb._display import html
from aitk_nb.discovery.snippets import operations
from aitk_nb.discovery.snippets.function_call import function_call
from aitk_nb.discovery.snippets.program import LITERALS
from aitk_nb.discovery.snippets.rest_call import rest_call
from aitk_nb.discovery.survey import Survey
from aitk_nb.errors import BadInput
from aitk_nb.models import OPERATIONS, Endpoint, Flavour

LANGUAGES = tuple(LITERALS)
"""`curl`, `python`, `gradio_client`, `javascript` and `typescript`."""


class Snippet(str):
    """A program; as the last line of a cell it shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html.code(str(self))


def snippet(report: Survey, name: str, language: str, values: Mapping[str, object]) -> Snippet:
    """Return a program that calls an endpoint or does an operation, ready to run.

    Args:
        report: What is known of the server.
        name: An endpoint or an operation of the report.
        language: One of `LANGUAGES`.
        values: Values to fill in, by parameter name; examples stand for the others.

    Raises:
        BadInput: There is no such endpoint, operation, language or value.
    """
    if language not in LANGUAGES:
        raise BadInput(f"Unknown language {language!r}; choose from {', '.join(LANGUAGES)}.")
    _check_answered(report)
    if language == "gradio_client" and report.flavour is Flavour.WEBUI:
        raise BadInput("gradio_client only works with Gradio apps; for the web UI use 'python'.")
    words = name.replace("_", " ").lower()
    operation = next((each for each in OPERATIONS if each.lower() == words), None)
    endpoint = _endpoint(report, name)
    if endpoint is not None and name != operation:
        return Snippet(_call(report, endpoint, language, values))
    if operation is not None:
        return Snippet(operations.program(report, operation, language, values))
    known = ", ".join([*OPERATIONS, *(each.name for each in report.endpoints)])
    raise BadInput(f"There is no endpoint or operation named {name!r}; choose from {known}.")


def typescript_client(report: Survey) -> Snippet:
    """Return a module of TypeScript with a class `AIToolkitClient` for the four operations.

    Raises:
        BadInput: No training server answered, or it lacks an operation.
    """
    _check_answered(report)
    return Snippet(operations.client(report))


def _check_answered(report: Survey) -> None:
    if report.flavour is None:
        raise BadInput("No training server answered, so there is nothing to call.")


def _endpoint(report: Survey, name: str) -> Endpoint | None:
    by_name = {endpoint.name: endpoint for endpoint in report.endpoints}
    return by_name.get(name) or by_name.get(f"/{name}")


def _call(report: Survey, endpoint: Endpoint, language: str, values: Mapping[str, object]) -> str:
    public = endpoint.auth == "public" and endpoint.method == "GET"
    auth = "none" if public else report.auth
    if endpoint.index is not None or endpoint.name.startswith("/"):
        return function_call(endpoint, language, report.url, auth, report.prefix, values)
    if language == "gradio_client":
        raise BadInput(f"gradio_client only calls functions; for {endpoint.name} use 'python'.")
    if endpoint.name == "login" and language != "typescript":
        # Each program logs in before its request; the config shows that it worked.
        endpoint = replace(_endpoint(report, "config") or endpoint, does=endpoint.does)
        auth = "login"
    return rest_call(endpoint, language, report.url, auth, values)
