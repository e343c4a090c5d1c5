"""One request to an endpoint in curl, Python, JavaScript and TypeScript."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, urlencode

from aitk_nb.discovery.snippets import typescript
from aitk_nb.discovery.snippets.program import LITERALS, assembled, head, javascript, member, sends
from aitk_nb.errors import BadInput
from aitk_nb.models import Endpoint, Parameter, safe_file_name

PHOTO = "photo.jpg"
"""The file that is sent where none is given."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request with the values that it sends."""

    endpoint: Endpoint
    path: str
    """With everything percent-encoded, the query included."""
    body: Mapping[str, object] | None
    """What is sent as JSON, if anything."""
    form: Sequence[tuple[str, str, bool]]
    """The fields of a form: name, value, and whether that is the path of a local file."""
    media: str
    """Content type of the answer."""
    save_as: str
    """Name for a file that comes back."""

    @property
    def is_endless(self) -> bool:
        """True when the answer is a stream of events."""
        return self.media == "text/event-stream"

    @property
    def has_file(self) -> bool:
        """True when a local file is sent."""
        return any(is_file for _, _, is_file in self.form)


def rest_call(
    endpoint: Endpoint, language: str, url: str, auth: str, values: Mapping[str, object]
) -> str:
    """Return a program that sends a request.

    Args:
        endpoint: What is called.
        language: `curl`, `python`, `javascript` or `typescript`.
        url: The server's address.
        auth: What proves who asks: `token`, `login`, or anything else for nothing.
        values: Values by parameter; examples stand for the others that are required.

    Raises:
        BadInput: The endpoint has no such parameter.
    """
    if language == "typescript":
        return _typescript(endpoint)
    gaps = {
        "url": LITERALS[language](url),
        "send": sends(auth),
        "request": _request(endpoint, values),
    }
    title = endpoint.does or endpoint.name
    return assembled(language, [title], [*head(auth), "fetch", "request"], gaps)


def checked(endpoint: Endpoint, values: Mapping[str, object]) -> dict[str, Parameter]:
    """Return the parameters of an endpoint by name.

    Raises:
        BadInput: A value is for a parameter that it does not have.
    """
    known = {parameter.name: parameter for parameter in endpoint.sent}
    if unknown := sorted(set(values) - set(known)):
        names = ", ".join(known) or "none"
        raise BadInput(f"{endpoint.name} has no {', '.join(unknown)}; its parameters: {names}.")
    return known


def example_of(parameter: Parameter) -> object:
    """Return a value that can be sent."""
    if "file" in parameter.type:
        return [PHOTO] if parameter.type.startswith("list") else PHOTO
    # Gradio's own examples of texts, such as "Hello!!", are no values that anybody wants.
    is_text = parameter.where == "data" and parameter.type == "string"
    found = [parameter.default, *parameter.choices, None if is_text else parameter.example]
    plain = {"number": 1, "integer": 1, "boolean": False}.get(parameter.type, "")
    return next((value for value in found if value is not None), plain)


def _request(endpoint: Endpoint, values: Mapping[str, object]) -> Request:
    known = checked(endpoint, values)
    sent = {
        name: values.get(name, example_of(parameter))
        for name, parameter in known.items()
        if parameter.required or name in values
    }
    body = {name: value for name, value in sent.items() if known[name].where == "body"}
    form = [
        (name, str(each), "file" in known[name].type)
        for name, value in sent.items()
        if known[name].where == "form"
        for each in (value if isinstance(value, list | tuple) else [value])
    ]
    media = typescript.media_of(endpoint)
    name = PurePosixPath(str(sent.get("path", "")).replace("\\", "/")).name
    return Request(
        endpoint,
        path=_path(endpoint, sent),
        body=body if endpoint.method == "POST" and not form else None,
        form=form,
        media=media,
        save_as=safe_file_name(name or "file") if "*" in media else "",
    )


def _path(endpoint: Endpoint, sent: Mapping[str, object]) -> str:
    path, query = endpoint.path, {}
    for parameter in endpoint.sent:
        if parameter.name not in sent:
            continue
        value = sent[parameter.name]
        text = value if isinstance(value, str) else json.dumps(value)
        if parameter.where == "path":
            # Gradio takes the slashes of a path as they are; the web UI takes one segment.
            safe = "/" if "/file=" in path else ""
            path = path.replace(f"{{{parameter.name}}}", quote(text, safe=safe))
        elif parameter.where == "query":
            query[parameter.name] = text
    return path + (f"?{urlencode(query)}" if query else "")


def _typescript(endpoint: Endpoint) -> str:
    by_place: dict[str, list[Parameter]] = {}
    for parameter in endpoint.sent:
        by_place.setdefault(parameter.where, []).append(parameter)
    address = "url" + "".join(
        f" + encodeURIComponent({member(part)})" if at % 2 else f" + {javascript(part)}"
        for at, part in enumerate(re.split(r"\{(\w+)\}", endpoint.path))
        if part
    )
    form = by_place.get("form", ())
    sent = "values" if endpoint.sent else "{}"
    result, reading = typescript.result_of(endpoint)
    gaps = {
        "endpoint": endpoint,
        "queried": by_place.get("query", ()),
        "appended": form,
        "address": address + (' + "?" + query' if "query" in by_place else ""),
        "body": sent if endpoint.method == "POST" and not form else "",
        "reading": reading,
    }
    about = f"{endpoint.does}: {endpoint.method} {endpoint.path}"
    return typescript.function(endpoint, about, result, "request", gaps)
