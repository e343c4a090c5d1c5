"""One HTTP request as every language writes it: what is sent, and what to do with the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote, urlencode

from aitk_nb.backends.webui.catalogue import CATALOGUE
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import Endpoint, Parameter
from aitk_nb.models.names import safe_file_name

__all__ = ["Request", "request_of"]

PHOTO = "photo.jpg"
"""The file that is sent where none is given."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a server."""

    title: str
    method: str
    path: str
    """With everything percent-encoded, the query included."""
    body: Mapping[str, object] = field(default_factory=dict)
    """What is sent as JSON."""
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Local files by field of the form."""
    media: str = "json"
    """What comes back: `json`, `text`, `events` (a stream without an end) or `file`."""
    save_as: str = ""
    """Name for a file that comes back."""

    @property
    def has_json(self) -> bool:
        """True when a JSON body is sent."""
        return self.method == "POST" and not self.form and not self.files


def request_of(endpoint: Endpoint, values: Mapping[str, object]) -> Request:
    """Return the request that calls an endpoint with these values, or with examples.

    Raises:
        BadInput: the endpoint has no such parameter.
    """
    known = {parameter.name: parameter for parameter in endpoint.sent}
    if unknown := sorted(set(values) - set(known)):
        names = ", ".join(known) or "none"
        raise BadInput(f"{endpoint.name} has no {', '.join(unknown)}; its parameters: {names}.")
    sent = {
        name: values.get(name, example_of(parameter))
        for name, parameter in known.items()
        if parameter.required or name in values
    }
    place = {name: known[name].where for name in sent}
    media, save_as = _media(endpoint, sent)
    return Request(
        title=f"{endpoint.does}" or endpoint.name,
        method=endpoint.method,
        path=_path(endpoint, sent),
        body={name: value for name, value in sent.items() if place[name] == "body"},
        form={
            name: str(value)
            for name, value in sent.items()
            if place[name] == "form" and "file" not in known[name].type
        },
        files={
            name: [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]
            for name, value in sent.items()
            if place[name] == "form" and "file" in known[name].type
        },
        media=media,
        save_as=save_as,
    )


def example_of(parameter: Parameter) -> object:
    """Return a value that can be sent."""
    if parameter.type.startswith("list of file"):
        return [PHOTO]
    if parameter.type == "file":
        return PHOTO
    if parameter.default is not None:
        return parameter.default
    if parameter.choices:
        return parameter.choices[0]
    if parameter.example is not None:
        return parameter.example
    return {"number": 1, "integer": 1, "boolean": False}.get(parameter.type, "")


def _path(endpoint: Endpoint, sent: Mapping[str, object]) -> str:
    path = endpoint.path
    query = {}
    for parameter in endpoint.sent:
        if parameter.name not in sent:
            continue
        value = _text(sent[parameter.name])
        if parameter.where == "path":
            # Gradio wants the slashes of a path as they are; the web UI one segment.
            safe = "/" if "/file=" in path else ""
            path = path.replace(f"{{{parameter.name}}}", quote(value, safe=safe))
        elif parameter.where == "query":
            query[parameter.name] = value
    return path + (f"?{urlencode(query)}" if query else "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _media(endpoint: Endpoint, sent: Mapping[str, object]) -> tuple[str, str]:
    entry = next((entry for entry in CATALOGUE if entry.name == endpoint.name), None)
    if "server-sent events" in endpoint.returns:
        return "events", ""
    kind = str(entry.ok.get("media", "")) if entry and endpoint.since else ""
    if kind.startswith("text/"):
        return "text", ""
    if kind or endpoint.returns == "the file":
        name = PurePosixPath(str(sent.get("path", "")).replace("\\", "/")).name
        return "file", safe_file_name(name or "file")
    return "json", ""
