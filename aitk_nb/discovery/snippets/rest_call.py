"""One request to an endpoint in curl, Python, JavaScript and TypeScript."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from urllib.parse import quote, urlencode

from aitk_nb.discovery.snippets import typescript
from aitk_nb.discovery.snippets.literals import LITERALS, javascript, member, python, shell
from aitk_nb.discovery.snippets.program import assembled, head, sends
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import Endpoint, Parameter
from aitk_nb.models.names import safe_file_name

PHOTO = "photo.jpg"
"""The file that is sent where none is given."""

EVENTS = 3
"""Lines of an endless stream that are shown."""

CHECK = "if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);"


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
    request = _request(endpoint, values)
    title, gaps = endpoint.does or endpoint.name, {"url": LITERALS[language](url)}
    lines = _LINES[language](request, auth)
    return assembled(language, [title], head(auth), gaps, lines)


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


# -- curl and Python ------------------------------------------------------------------------------


def form_file(name: str, path: str) -> str:
    """Return an argument of curl's -F, which takes a path in double quotes, with their escapes."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return shell(f'{name}=@"{escaped}"')


def _curl(request: Request, auth: str) -> list[str]:
    words = [sends(auth)]
    if request.body is not None:
        body = shell(json.dumps(request.body))
        words.append(f"-H 'Content-Type: application/json' --data-raw {body}")
    words += [
        f"-F {form_file(name, value)}" if is_file else f"--form-string {shell(f'{name}={value}')}"
        for name, value, is_file in request.form
    ]
    if request.save_as:
        words.append(f"-o {shell('./' + request.save_as)}")
    words.append(f'"$url"{shell(request.path)}')
    if request.media == "text/event-stream":
        words.append(f"-N 2>/dev/null | head -n {EVENTS}")
    return [" ".join(words)]


def _python(request: Request, _auth: str) -> list[str]:
    if request.media == "text/event-stream":
        return [
            f'with server.stream("GET", {python(request.path)}) as stream:',
            f"    for line, _ in zip(stream.iter_lines(), range({EVENTS})):",
            "        print(line)",
        ]
    lines, sent = [], python(request.path)
    if request.body is not None:
        sent += f", json={python(request.body)}"
    if request.form:
        parts = ", ".join(_part(*part) for part in request.form)
        lines.append(f"form = [{parts}]")
        sent += ", files=form"
    lines.append(f"answer = server.{request.endpoint.method.lower()}({sent}).raise_for_status()")
    if request.save_as:
        saved = [f'with open({python(request.save_as)}, "wb") as file:']
        return [*lines, *saved, "    file.write(answer.content)"]
    return [*lines, f"print(answer.{'text' if request.media == 'text/plain' else 'json()'})"]


def _part(name: str, value: str, is_file: bool) -> str:
    opened = f'{python(PurePath(value).name)}, open({python(value)}, "rb")'
    return f"({python(name)}, ({opened if is_file else f'None, {python(value)}'}))"


# -- JavaScript and TypeScript --------------------------------------------------------------------


def fetch(method: str, address: str, *, json: str = "", form: Sequence[str] = ()) -> list[str]:
    """Return the lines that send a request by `fetch`, and check that it went well.

    Args:
        method: Of the request.
        address: An expression.
        json: An expression for what is sent as JSON.
        form: Arguments of `form.append` for what is sent as a form.
    """
    options = [] if method == "GET" else [f"method: {javascript(method)}"]
    if json:
        options.append('headers: { ...headers, "Content-Type": "application/json" }')
        options.append(f"body: JSON.stringify({json})")
    else:
        options.append("headers, body: form" if form else "headers")
    lines = ["const form = new FormData();", *form] if form else []
    sent = f"const answer = await fetch({address}, {{ {', '.join(options)} }});"
    return [*lines, sent, CHECK]


def _javascript(request: Request, _auth: str) -> list[str]:
    form = []
    for name, value, is_file in request.form:
        blob = f"new Blob([await readFile({javascript(value)})])"
        sent = f"{blob}, {javascript(PurePath(value).name)}" if is_file else javascript(value)
        form.append(f"form.append({javascript(name)}, {sent});")
    body = "" if request.body is None else javascript(request.body)
    address = f"url + {javascript(request.path)}"
    lines = fetch(request.endpoint.method, address, json=body, form=form)
    if request.has_file:
        lines.insert(0, 'import { readFile } from "node:fs/promises";')
    if request.media == "text/event-stream":
        lines += [
            "const reader = answer.body.getReader();",
            "console.log(new TextDecoder().decode((await reader.read()).value));",
            "await reader.cancel();",
        ]
    elif request.save_as:
        lines.insert(0, 'import { writeFile } from "node:fs/promises";')
        data = "Buffer.from(await answer.arrayBuffer())"
        lines.append(f"await writeFile({javascript(request.save_as)}, {data});")
    else:
        read = "text" if request.media == "text/plain" else "json"
        lines.append(f"console.log(await answer.{read}());")
    return lines


_LINES: Mapping[str, Callable[[Request, str], list[str]]] = {
    "curl": _curl,
    "python": _python,
    "javascript": _javascript,
}


def _typescript(endpoint: Endpoint) -> str:
    by_place: dict[str, list[Parameter]] = {}
    for parameter in endpoint.sent:
        by_place.setdefault(parameter.where, []).append(parameter)
    address = "url" + "".join(
        f" + encodeURIComponent({member(part)})" if at % 2 else f" + {javascript(part)}"
        for at, part in enumerate(re.split(r"\{(\w+)\}", endpoint.path))
        if part
    )
    lines = []
    if asked := by_place.get("query"):
        lines = ["const query = new URLSearchParams();", *map(_queried, asked)]
        address += ' + "?" + query'
    form = [_appended(parameter) for parameter in by_place.get("form", ())]
    has_json = endpoint.method == "POST" and not form
    sent = "values" if endpoint.sent else "{}"
    lines += fetch(endpoint.method, address, json=sent if has_json else "", form=form)
    result, reading = typescript.result_of(endpoint)
    about = f"{endpoint.does}: {endpoint.method} {endpoint.path}"
    return typescript.function(endpoint, about, result, [*lines, f"return {reading};"])


def _queried(parameter: Parameter) -> str:
    value, name = member(parameter.name), javascript(parameter.name)
    return f"if ({value} !== undefined) query.set({name}, String({value}));"


def _appended(parameter: Parameter) -> str:
    value, name = member(parameter.name), javascript(parameter.name)
    if parameter.type == "list of file":
        return f"for (const file of {value}) form.append({name}, file.data, file.name);"
    return f"form.append({name}, {value});"
