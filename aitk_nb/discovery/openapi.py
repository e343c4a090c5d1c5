"""The OpenAPI 3.1 document of the web UI at hand: the catalogue, filtered to what was found."""

from __future__ import annotations

import copy
from typing import Any

from aitk_nb.backends.webui.catalogue import document, operation_objects
from aitk_nb.discovery.survey import Survey
from aitk_nb.errors import NotSupported
from aitk_nb.models.server import Flavour


def openapi(report: Survey) -> dict[str, Any]:
    """Return the OpenAPI document of the endpoints that a web UI has.

    Args:
        report: what was found; the note of an endpoint becomes its description, and the date of
            the newest endpoint the version.

    Returns:
        A copy, which may be changed.

    Raises:
        NotSupported: the server is not a web UI.
    """
    if report.flavour is not Flavour.WEBUI:
        raise NotSupported(
            "be described by this OpenAPI document",
            "Gradio" if report.flavour else "unknown",
            "A Gradio app serves its own: GET /gradio_api/openapi.json (Gradio 5 and 6).",
        )
    there = {endpoint.name: endpoint for endpoint in report.endpoints if endpoint.state != "absent"}
    made: dict[str, Any] = copy.deepcopy(dict(document()))
    paths: dict[str, Any] = {}
    for path, method, found in operation_objects():
        if endpoint := there.get(found["operationId"]):
            operation = made["paths"][path][method]
            if endpoint.note:
                operation["description"] = endpoint.note
            paths.setdefault(path, {})[method] = operation
    made["info"]["version"] = report.newest or "unknown"
    return {**made, "servers": [{"url": report.url}], "paths": paths}
