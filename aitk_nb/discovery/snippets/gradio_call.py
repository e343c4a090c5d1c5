"""A call of one function of a Gradio app, in curl, Python, gradio_client and JavaScript.

The value of a State is sent as null: the app keeps it for the page. So a function that needs what
another one left in the State has to be called in the same session (`operations.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

from aitk_nb.discovery.snippets.preludes import curl as curl_prelude
from aitk_nb.discovery.snippets.preludes import javascript_prelude, python_prelude
from aitk_nb.discovery.snippets.quoting import (
    Code,
    comment,
    is_keyword_argument,
    javascript,
    json_in_shell,
    python,
    shell,
)
from aitk_nb.discovery.snippets.request import example_of
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import Endpoint, Parameter

__all__ = ["EMITTERS", "FunctionCall", "call_of", "data_of"]

META = {"_type": "gradio.FileData"}


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One function with the values that it gets."""

    endpoint: Endpoint
    prefix: str
    values: Mapping[str, object]
    """Value by parameter; files as local paths."""

    @property
    def path(self) -> str:
        """Where it is called, percent-encoded."""
        if self.endpoint.name.startswith("/"):
            return f"{self.prefix}/call{quote(self.endpoint.name, safe='/')}"
        return f"{self.prefix}/queue/join"

    @property
    def is_named(self) -> bool:
        """True for a function with a name; another one goes by its number."""
        return self.endpoint.name.startswith("/")

    @property
    def files(self) -> list[str]:
        """Every local file that is sent, each once."""
        found = [
            path
            for parameter in self.endpoint.sent
            if "file" in parameter.type
            for path in _paths(self.values[parameter.name])
        ]
        return list(dict.fromkeys(found))

    def data(self, file: Callable[[str], object]) -> list[object]:
        """Return the values in the order of the wire; `file` says how a file is named there."""
        return data_of(self.endpoint, self.values, file)


def call_of(endpoint: Endpoint, prefix: str, values: Mapping[str, object]) -> FunctionCall:
    """Return the call of a function with these values, and examples for the others.

    Raises:
        BadInput: the function has no such parameter.
    """
    known = {parameter.name for parameter in endpoint.sent}
    if unknown := sorted(set(values) - known):
        names = ", ".join(sorted(known)) or "none"
        raise BadInput(f"{endpoint.name} has no {', '.join(unknown)}; its parameters: {names}.")
    filled = {p.name: values.get(p.name, _example(p)) for p in endpoint.sent}
    return FunctionCall(endpoint, prefix, filled)


def data_of(
    endpoint: Endpoint, values: Mapping[str, object], file: Callable[[str], object]
) -> list[object]:
    """Return the values of a call in the order of the wire."""
    data: list[object] = []
    for parameter in endpoint.parameters:
        if parameter.hidden:
            data.append(None)
            continue
        value = values[parameter.name]
        if isinstance(value, Code):
            data.append(value)
        elif "file" in parameter.type:
            named = [file(path) for path in _paths(value)]
            data.append(named if parameter.type.startswith("list") else (named or [None])[0])
        else:
            data.append(value)
    return data


def _paths(value: object) -> list[str]:
    if value is None or isinstance(value, Code):
        return []
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def _example(parameter: Parameter) -> object:
    # Gradio's own examples, such as "Hello!!", are no values that anybody wants.
    if parameter.type == "string" and parameter.default is None and not parameter.choices:
        return ""
    return example_of(parameter)


def _curl(call: FunctionCall, url: str, auth: str) -> str:
    before, send = curl_prelude(url, auth)
    lines = []
    names: dict[str, Code] = {}
    for number, path in enumerate(call.files):
        name = f"file{number}"
        escaped = path.replace("\\", "\\\\").replace('"', '\\"')
        form = shell(f'files=@"{escaped}"')
        strip = "sed -E 's/^\\[\"(.*)\"\\]$/\\1/'"
        lines.append(f'{name}=$({send} -F {form} "$url"{shell(call.prefix + "/upload")} | {strip})')
        names[path] = Code(name)
    data = call.data(lambda path: {"path": names[path], "meta": META})
    post = f"{send} -H 'Content-Type: application/json' --data-raw"
    if call.is_named:
        body = json_in_shell({"data": data})
        strip = 'sed -E \'s/.*"event_id": *"([^"]*)".*/\\1/\''
        lines.append(f'event=$({post} {body} "$url"{shell(call.path)} | {strip})')
        lines.append(f'{send} -N "$url"{shell(call.path + "/")}"$event"')
    else:
        lines.append("session=$(date +%s)$$")
        session, index = Code("session"), call.endpoint.index
        body = json_in_shell({"data": data, "fn_index": index, "session_hash": session})
        lines.append(f'{post} {body} "$url"{shell(call.path)}')
        watched = shell(f"{call.prefix}/queue/data?session_hash=")
        lines.append(f'{send} -N "$url"{watched}"$session"')
    return f"{_head('#', call)}{before}" + "\n".join(lines) + "\n"


def _python(call: FunctionCall, url: str, auth: str) -> str:
    lines = []
    if call.files:
        lines += _python_upload(call)
    data = call.data(lambda path: Code(f"uploaded[{python(path)}]"))
    lines.append(f"data = {python(data)}")
    if call.is_named:
        lines += [
            f"path = {python(call.path)}",
            'event = server.post(path, json={"data": data}).raise_for_status().json()["event_id"]',
            'with server.stream("GET", f"{path}/{event}", timeout=None) as stream:',
        ]
        imports: tuple[str, ...] = ()
    else:
        imports = ("uuid",)
        body = f'{{"data": data, "fn_index": {call.endpoint.index}, "session_hash": session}}'
        watched = python(f"{call.prefix}/queue/data")
        lines += [
            "session = uuid.uuid4().hex",
            f"server.post({python(call.path)}, json={body}).raise_for_status()",
            'params = {"session_hash": session}',
            f'with server.stream("GET", {watched}, params=params, timeout=None) as stream:',
        ]
    lines += ["    for line in stream.iter_lines():", "        print(line)"]
    before = python_prelude(url, auth, imports=imports)
    return f"{_head('#', call)}{before}\n" + "\n".join(lines) + "\n"


def _python_upload(call: FunctionCall) -> list[str]:
    return [
        f"files = {python(call.files)}",
        "uploaded = {}",
        "for name in files:",
        '    with open(name, "rb") as file:',
        f'        answer = server.post({python(call.prefix + "/upload")}, files={{"files": file}})',
        "    path = answer.raise_for_status().json()[0]",
        f'    uploaded[name] = {{"path": path, "meta": {python(META)}}}',
    ]


def _gradio_client(call: FunctionCall, url: str, auth: str) -> str:
    login = auth == "login"
    imported = "Client, handle_file" if call.files else "Client"
    lines = [*(["import os", ""] if login else []), f"from gradio_client import {imported}", ""]
    pair = 'auth=(os.environ["AITK_USERNAME"], os.environ["AITK_PASSWORD"])'
    lines.append(f"client = Client({python(url)}{', ' + pair if login else ''}, verbose=False)")
    arguments = _arguments(call)
    where = f"fn_index={call.endpoint.index}"
    if call.is_named:
        where = f"api_name={python(call.endpoint.name)}"
    if call.endpoint.generator:
        lines.append(f"job = client.submit({', '.join([*arguments, where])})")
        lines += ["for result in job:", "    print(result)"]
    else:
        lines.append("result = client.predict(")
        lines += [f"    {argument}," for argument in (*arguments, where)]
        lines += [")", "print(result)"]
    return f"{_head('#', call)}" + "\n".join(lines) + "\n"


def _arguments(call: FunctionCall) -> list[str]:
    def file(path: str) -> Code:
        return Code(f"handle_file({python(path)})")

    sent = [parameter for parameter in call.endpoint.parameters if not parameter.hidden]
    values = [
        value
        for parameter, value in zip(call.endpoint.parameters, call.data(file), strict=True)
        if not parameter.hidden
    ]
    named = all(
        is_keyword_argument(p.name) and p.name not in {"api_name", "fn_index"} for p in sent
    )
    if named and len(sent) <= 20:
        return [f"{p.name}={python(value)}" for p, value in zip(sent, values, strict=True)]
    inside = python(values)[1:-1]
    return [inside] if inside else []


def _javascript(call: FunctionCall, url: str, auth: str) -> str:
    lines: list[str] = []
    imported = ""
    if call.files:
        imported = 'import { readFile } from "node:fs/promises";\n\n'
        lines += [
            "async function upload(path, name) {",
            "  const form = new FormData();",
            '  form.append("files", new Blob([await readFile(path)]), name);',
            f"  const answer = await fetch(url + {javascript(call.prefix + '/upload')}, "
            '{ method: "POST", headers, body: form });',
            "  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);",
            f"  return {{ path: (await answer.json())[0], meta: {javascript(META)} }};",
            "}",
        ]

    def file(path: str) -> Code:
        return Code(f"await upload({javascript(path)}, {javascript(PurePath(path).name)})")

    data = call.data(file)
    lines.append(f"const data = {javascript(data)};")
    post = '{ method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body }'
    body = "{ data }"
    if not call.is_named:
        lines.append("const session_hash = crypto.randomUUID();")
        body = f"{{ data, fn_index: {call.endpoint.index}, session_hash }}"
    lines += [
        f"const body = JSON.stringify({body});",
        f"const path = url + {javascript(call.path)};",
        f"const joined = await fetch(path, {post});",
        "if (!joined.ok) throw new Error(`${joined.status} ${await joined.text()}`);",
    ]
    watched = "`${path}/${(await joined.json()).event_id}`"
    if not call.is_named:
        start = javascript(f"{call.prefix}/queue/data?session_hash=")
        watched = f"url + {start} + session_hash"
    lines += [
        f"const events = await fetch({watched}, {{ headers }});",
        "console.log(await events.text());",
    ]
    before = javascript_prelude(url, auth)
    return f"{_head('//', call)}{imported}{before}\n" + "\n".join(lines) + "\n"


def _head(sign: str, call: FunctionCall) -> str:
    return f"{sign} {comment(call.endpoint.does or call.endpoint.name)}\n"


EMITTERS: Mapping[str, Callable[[FunctionCall, str, str], str]] = {
    "curl": _curl,
    "python": _python,
    "gradio_client": _gradio_client,
    "javascript": _javascript,
}
