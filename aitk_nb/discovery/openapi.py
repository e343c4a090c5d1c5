"""The OpenAPI 3.1 document that the web UI's REST API lacks, for the server at hand."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aitk_nb.backends.webui.catalogue import CATALOGUE, Entry, document
from aitk_nb.errors import NotSupported
from aitk_nb.models.endpoint import Endpoint, Parameter
from aitk_nb.models.server import Flavour

if TYPE_CHECKING:
    from aitk_nb.discovery.survey import Survey

__all__ = ["describe", "openapi"]

ABOUT = (
    "AI Toolkit's web UI documents its REST API nowhere; this was made by `aitk-nb discover` from "
    "what the server has. Many actions are GETs: start, stop, delete, save_now and sample_now of "
    "a job, start and stop of a queue. HEAD runs them as well."
)

NOTES: Mapping[str, str] = {
    "json": "Refused; the reason is in `error`.",
    "text": "Refused; the reason as plain text.",
    "bare": "Refused; the reason as text that has no content type.",
    "empty": "Refused without a word.",
}


def openapi(report: Survey) -> dict[str, Any]:
    """Return the document for the endpoints that this server has.

    Raises:
        NotSupported: it is no web UI.
    """
    if report.flavour is not Flavour.WEBUI:
        raise NotSupported(
            "be described by this OpenAPI document",
            "Gradio" if report.flavour else "unknown",
            "A Gradio app has its own: GET /gradio_api/openapi.json (Gradio 5 and 6).",
        )
    there = {endpoint.name: endpoint for endpoint in report.endpoints if endpoint.state != "absent"}
    return describe(report.url, there, report.newest)


def describe(url: str, there: Mapping[str, Endpoint], version: str) -> dict[str, Any]:
    """Return the document of a server at `url` that has the endpoints in `there`."""
    paths: dict[str, Any] = {}
    for entry in CATALOGUE:
        if endpoint := there.get(entry.name):
            method = entry.method.lower()
            paths.setdefault(endpoint.path, {})[method] = _operation(entry, endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AI Toolkit web UI",
            "description": ABOUT,
            "version": version or "unknown",
        },
        "servers": [{"url": url}],
        # Either the token or nothing: an open server asks for none.
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "What the server has in AI_TOOLKIT_AUTH.",
                }
            },
            "schemas": copy.deepcopy(dict(document()["schemas"])),
        },
    }


def _operation(entry: Entry, endpoint: Endpoint) -> dict[str, Any]:
    does = endpoint.does
    described: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": does[:1].upper() + does[1:],
        "description": " ".join(filter(None, (f"Since {endpoint.since}.", endpoint.note))),
        "tags": [_tag(endpoint)],
        "responses": _responses(entry),
        "x-changes-something": endpoint.acts,
    }
    if endpoint.auth == "public" or entry.endpoint.auth == "public":
        described["security"] = [{}]
    outside = [_parameter(p) for p in endpoint.parameters if p.where in {"path", "query"}]
    if outside:
        described["parameters"] = outside
    for place, media in (("body", "application/json"), ("form", "multipart/form-data")):
        inside = [p for p in endpoint.parameters if p.where == place]
        if inside:
            content = {media: {"schema": _object(inside)}}
            described["requestBody"] = {"required": True, "content": content}
    return described


def _tag(endpoint: Endpoint) -> str:
    return endpoint.path.split("/")[2]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "schema": schema_of(parameter),
        **({"description": parameter.about} if parameter.about else {}),
    }


def _object(parameters: list[Parameter]) -> dict[str, Any]:
    properties = {}
    for parameter in parameters:
        schema = schema_of(parameter)
        if parameter.about:
            schema["description"] = parameter.about
        properties[parameter.name] = schema
    required = [parameter.name for parameter in parameters if parameter.required]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
    }


def schema_of(parameter: Parameter) -> dict[str, Any]:
    """Return what a parameter may be, as JSON Schema."""
    schema = _typed(parameter.type)
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.default is not None:
        schema["default"] = parameter.default
    if parameter.example is not None:
        schema["examples"] = [parameter.example]
    return schema


def _typed(word: str) -> dict[str, Any]:
    if word.startswith("list of "):
        return {"type": "array", "items": _typed(word.removeprefix("list of "))}
    if word == "file":
        return {"type": "string", "contentMediaType": "application/octet-stream"}
    return {} if word == "any" else {"type": word}


def _responses(entry: Entry) -> dict[str, Any]:
    ok = entry.ok
    content: dict[str, Any] = (
        {ok["media"]: {}} if "media" in ok else {"application/json": {"schema": dict(ok)}}
    )
    if entry.also:
        content[entry.also] = {}
    responses: dict[str, Any] = {"200": {"description": entry.endpoint.returns, "content": content}}
    for status, forms in sorted(entry.errors.items()):
        responses[str(status)] = _refusal(forms)
    return responses


def _refusal(forms: tuple[str, ...]) -> dict[str, Any]:
    refusal: dict[str, Any] = {"description": " Or: ".join(NOTES[form] for form in forms)}
    if {"empty", "bare"} & set(forms):
        # What may come without a content type cannot be described by one.
        return refusal
    content: dict[str, Any] = {}
    if "json" in forms:
        error = {"$ref": "#/components/schemas/Error"}
        content["application/json"] = {"schema": error}
    if "text" in forms:
        content["text/plain"] = {"schema": {"type": "string"}}
    if content:
        refusal["content"] = content
    return refusal
