"""An endpoint as a typed function of TypeScript, and JSON Schema as a type of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from aitk_nb.backends.webui.catalogue import CATALOGUE, document
from aitk_nb.discovery.snippets.quoting import comment, identifier, javascript
from aitk_nb.models.endpoint import Endpoint, Operation, Parameter

__all__ = ["SERVER", "function_of", "training_values", "type_of", "value_of"]

SERVER = """\
export interface Server {
  url: string;
  /** What proves who asks: { Authorization: `Bearer ${token}` }, or the Cookie of a login. */
  headers?: Record<string, string>;
}
"""

ROW = 4
"""So many parameters that differ in their number only are given as one list."""

CHECK = "if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);"


def type_of(schema: Mapping[str, Any]) -> str:
    """Return the TypeScript type of a JSON Schema."""
    if "$ref" in schema:
        return type_of(document()["schemas"][schema["$ref"].rpartition("/")[2]])
    if "const" in schema:
        return javascript(schema["const"])
    if "enum" in schema:
        return " | ".join(javascript(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(type_of(each) for each in schema["anyOf"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(type_of({**schema, "type": each}) for each in kind)
    if kind == "array":
        return f"({type_of(schema.get('items', {}))})[]"
    if kind == "object":
        return _object(schema)
    plain = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}
    return plain.get(str(kind), "null" if kind == "null" else "unknown")


def _object(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    fields = [
        f"{_field(name)}{'' if name in required else '?'}: {type_of(each)}"
        for name, each in schema.get("properties", {}).items()
    ]
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping) and not fields:
        fields.append(f"[key: string]: {type_of(more)}")
    return "{ " + "; ".join(fields) + " }" if fields else "Record<string, unknown>"


def function_of(endpoint: Endpoint, prefix: str) -> str:
    """Return a typed function that calls an endpoint."""
    is_function = endpoint.index is not None or endpoint.name.startswith("/")
    return _gradio(endpoint, prefix) if is_function else _rest(endpoint)


def training_values(trainer: Endpoint, train: Operation) -> str:
    """Return the type of the values that a training function takes from its caller."""
    advanced = train.arguments.get("advanced")
    fields = [
        f"  {_field(parameter.name)}?: {_typed(parameter)};"
        for parameter in trainer.sent
        if "file" not in parameter.type and parameter.name != advanced
    ]
    return "\n".join(["export interface TrainingValues {", *fields, "}"])


# -- one request ----------------------------------------------------------------------------------


def _rest(endpoint: Endpoint) -> str:
    name = identifier(endpoint.name)
    result, reading = _result(endpoint)
    lines = [SERVER, *_values(endpoint, name)]
    lines.append(f"/** {comment(endpoint.does)}: {endpoint.method} {comment(endpoint.path)} */")
    lines.append(
        f"export async function {name}({_signature(endpoint, name)}): Promise<{result}> {{"
    )
    lines += [f"  {line}" for line in _sending(endpoint)]
    lines += [f"  {CHECK}", f"  return {reading};", "}"]
    return "\n".join(lines) + "\n"


def _values(endpoint: Endpoint, name: str) -> list[str]:
    if not endpoint.sent:
        return []
    title = identifier(name, upper=True)
    fields = [
        f"  {_field(names[0] if len(names) == 1 else f'{names[0]}_to_{names[-1]}')}"
        f"{'' if parameter.required and len(names) == 1 else '?'}: "
        f"{_typed(parameter) + ('[]' if len(names) > 1 else '')};"
        for parameter, names in _grouped(endpoint.sent)
    ]
    return [f"export interface {title}Values {{", *fields, "}", ""]


def _signature(endpoint: Endpoint, name: str) -> str:
    if not endpoint.sent:
        return "server: Server"
    needed = any(parameter.required for parameter in endpoint.sent)
    title = identifier(name, upper=True)
    return f"server: Server, values: {title}Values{'' if needed else ' = {}'}"


def _sending(endpoint: Endpoint) -> list[str]:
    by_place: dict[str, list[Parameter]] = {}
    for parameter in endpoint.sent:
        by_place.setdefault(parameter.where, []).append(parameter)
    parts = re.split(r"\{(\w+)\}", endpoint.path)
    address = " + ".join(
        javascript(part) if at % 2 == 0 else f"encodeURIComponent({value_of(part)})"
        for at, part in enumerate(parts)
        if part
    )
    lines = [f"const url = new URL(server.url + {address});"]
    for parameter in by_place.get("query", ()):
        value = value_of(parameter.name)
        setting = f"url.searchParams.set({javascript(parameter.name)}, String({value}));"
        lines.append(f"if ({value} !== undefined) {setting}")
    options = [] if endpoint.method == "GET" else [f"method: {javascript(endpoint.method)}"]
    if form := by_place.get("form"):
        lines += ["const body = new FormData();", *_form(form)]
        options += ["headers: server.headers", "body"]
    elif endpoint.method == "POST":
        options.append('headers: { ...server.headers, "Content-Type": "application/json" }')
        options.append("body: JSON.stringify(values)" if endpoint.sent else 'body: "{}"')
    else:
        options.append("headers: server.headers")
    return [*lines, f"const answer = await fetch(url, {{ {', '.join(options)} }});"]


def _form(parameters: Sequence[Parameter]) -> list[str]:
    lines = []
    for parameter in parameters:
        value, name = value_of(parameter.name), javascript(parameter.name)
        if "file" in parameter.type:
            lines.append(f"for (const file of {value}) body.append({name}, file.data, file.name);")
        else:
            lines.append(f"body.append({name}, {value});")
    return lines


def _result(endpoint: Endpoint) -> tuple[str, str]:
    entry = next((entry for entry in CATALOGUE if entry.name == endpoint.name), None)
    if "server-sent events" in endpoint.returns:
        return "ReadableStream<Uint8Array> | null", "answer.body"
    if entry is None or not endpoint.since:
        if endpoint.returns == "the file":
            return "Blob", "await answer.blob()"
        return "unknown", "await answer.json()"
    media = str(entry.ok.get("media", ""))
    if media.startswith("text/"):
        return "string", "await answer.text()"
    if media:
        return "Blob", "await answer.blob()"
    result = type_of(entry.ok)
    return result, f"(await answer.json()) as {result}"


# -- a function of Gradio -------------------------------------------------------------------------


def _gradio(endpoint: Endpoint, prefix: str) -> str:
    name = identifier(endpoint.name)
    path = f"{prefix}/call{quote(endpoint.name, safe='/')}"
    named = endpoint.name.startswith("/")
    data = ", ".join(_data(endpoint))
    about = comment(endpoint.does or endpoint.name)
    lines = [SERVER, *_files(endpoint), *_values(endpoint, name), f"/** {about} */"]
    lines.append(
        f"export async function {name}({_signature(endpoint, name)}): Promise<unknown[]> {{"
    )
    body = "{ data }"
    joined, watched = path, "`${path}/${(await answer.json()).event_id}`"
    if not named:
        joined = f"{prefix}/queue/join"
        lines.append("  const session_hash = crypto.randomUUID();")
        body = f"{{ data, fn_index: {endpoint.index}, session_hash }}"
        watched = f"server.url + {javascript(f'{prefix}/queue/data?session_hash=')} + session_hash"
    lines += [
        f"  const data: unknown[] = [{data}];",
        f"  const path = server.url + {javascript(joined)};",
        '  const headers = { ...server.headers, "Content-Type": "application/json" };',
        f"  const body = JSON.stringify({body});",
        '  const answer = await fetch(path, { method: "POST", headers, body });',
        f"  {CHECK}",
        f"  const events = await fetch({watched}, {{ headers: server.headers }});",
        "  const text = await events.text();",
        *(_NAMED_END if named else _NUMBERED_END),
        "}",
    ]
    return "\n".join(lines) + "\n"


_NAMED_END = (
    "  const last = [...text.matchAll(/^event: (.*)\\ndata: (.*)$/gm)].at(-1);",
    '  if (!last || last[1] !== "complete") throw new Error(last?.[2] ?? text);',
    "  return JSON.parse(last[2]!) as unknown[];",
)
_NUMBERED_END = (
    "  const messages = [...text.matchAll(/^data: (.*)$/gm)].map((line) => JSON.parse(line[1]!));",
    '  const last = messages.find((each) => each.msg === "process_completed");',
    "  if (!last?.success) throw new Error(last?.output?.error ?? text);",
    "  return last.output.data as unknown[];",
)


def _files(endpoint: Endpoint) -> list[str]:
    if not any("file" in parameter.type for parameter in endpoint.sent):
        return []
    return [
        "/** A file that was uploaded: a path of the answer of /upload. */",
        "export interface Uploaded {",
        "  path: string;",
        '  meta: { _type: "gradio.FileData" };',
        "}",
        "",
    ]


def _data(endpoint: Endpoint) -> list[str]:
    words = []
    rows = {names[0]: names for _, names in _grouped(endpoint.sent) if len(names) > 1}
    inside = {name for names in rows.values() for name in names[1:]}
    for parameter in endpoint.parameters:
        if parameter.hidden:
            words.append("null")
        elif names := rows.get(parameter.name):
            given = value_of(f"{names[0]}_to_{names[-1]}")
            fallback = javascript("" if parameter.type == "string" else parameter.default)
            words.append(
                f"...Array.from({{ length: {len(names)} }}, (_, at) => {given}?.[at] ?? {fallback})"
            )
        elif parameter.name not in inside:
            fallback = "" if parameter.required else f" ?? {javascript(parameter.default)}"
            words.append(f"{value_of(parameter.name)}{fallback}")
    return words


# -- names and types ------------------------------------------------------------------------------


def _grouped(parameters: Sequence[Parameter]) -> list[tuple[Parameter, list[str]]]:
    """Return parameters with their names, a long row of like ones together."""
    groups: list[tuple[Parameter, list[str]]] = []
    for parameter in parameters:
        stem = parameter.name.rstrip("0123456789")
        if groups and stem != parameter.name:
            first, names = groups[-1]
            like = names[0].rstrip("0123456789") == stem != names[0]
            if like and first.type == parameter.type == "string" and not parameter.choices:
                names.append(parameter.name)
                continue
        groups.append((parameter, [parameter.name]))
    found: list[tuple[Parameter, list[str]]] = []
    by_name = {parameter.name: parameter for parameter in parameters}
    for first, names in groups:
        if len(names) >= ROW:
            found.append((first, names))
        else:
            found += [(by_name[name], [name]) for name in names]
    return found


def _typed(parameter: Parameter) -> str:
    if parameter.choices:
        return " | ".join(javascript(choice) for choice in parameter.choices)
    word = parameter.type
    if "file" in word:
        one = "Uploaded" if parameter.where == "data" else "{ name: string; data: Blob }"
        return f"{one}[]" if word.startswith("list") else one
    if word.startswith("list of "):
        inner = _WORDS.get(word.removeprefix("list of "), "unknown")
        return f"{inner}[]"
    return _WORDS.get(word, "unknown")


_WORDS = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "object": "Record<string, unknown>",
}


def _field(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else javascript(name)


def value_of(name: str) -> str:
    """Return the expression for a value that the caller gives."""
    field = _field(name)
    return f"values.{field}" if field == name else f"values[{field}]"
