"""Functions of TypeScript, and the types of parameters and of JSON Schema."""

from collections.abc import Mapping
from typing import Any

from aitk_nb.backends.webui.catalog import operation_objects, resolved
from aitk_nb.discovery.snippets.program import assembled, comment, identifier, javascript, key
from aitk_nb.models.endpoint import Endpoint, Operation, Parameter, rows

_WORDS = {word: word for word in ("string", "number", "boolean", "null")} | {"integer": "number"}


def function(
    endpoint: Endpoint, about: str, result: str, part: str, gaps: Mapping[str, object]
) -> str:
    """Return a module with a typed function.

    Args:
        endpoint: What the function calls; names it and its values.
        about: What it does, which may be a server's text.
        result: Type of what it returns.
        part: Its body in the templates, in which `url`, `headers` and `values` are known.
        gaps: What that is filled with.
    """
    name = identifier(endpoint.name)
    more = {
        "uploads": any(p.where == "data" and "file" in p.type for p in endpoint.sent),
        "name": name,
        "title": identifier(name, upper=True),
        "about": comment(about),
        "fields": [_declared(row) for row in rows(endpoint.parameters) if not row[0].hidden],
        "is_needed": any(parameter.required for parameter in endpoint.sent),
        "result": result,
    }
    return assembled("typescript", [], ["fetch", "declared", part], {**gaps, **more})


def _declared(row: tuple[Parameter, ...]) -> str:
    first = row[0]
    if len(row) > 1:
        return f"  {key(f'{first.name}_to_{row[-1].name}')}?: {_typed(first)}[];"
    return f"  {key(first.name)}{'' if first.required else '?'}: {_typed(first)};"


def training_values(trainer: Endpoint, train: Operation) -> str:
    """Return the type of the values that a training function takes from its caller."""
    advanced = train.arguments.get("advanced")
    fields = [
        f"  {key(parameter.name)}?: {_typed(parameter)};"
        for parameter in trainer.sent
        if "file" not in parameter.type and parameter.name != advanced
    ]
    return "\n".join(["export interface TrainingValues {", *fields, "}"])


def _typed(parameter: Parameter) -> str:
    """Return the type of what a caller gives for a parameter."""
    if parameter.choices:
        return " | ".join(map(javascript, parameter.choices))
    word = parameter.type.removeprefix("list of ")
    if word == "file":
        word = "Uploaded" if parameter.where == "data" else "{ name: string; data: Blob }"
    else:
        word = "Record<string, unknown>" if word == "object" else _WORDS.get(word, "unknown")
    return f"{word}[]" if parameter.type.startswith("list") else word


# -- answers --------------------------------------------------------------------------------------


def _content(endpoint: Endpoint) -> Mapping[str, Any]:
    """Return the content of the good answer, as OpenAPI describes it."""
    for _, _, operation in operation_objects() if endpoint.since else ():
        if operation["operationId"] == endpoint.name:
            content: Mapping[str, Any] = operation["responses"]["200"]["content"]
            return content
    texts = {"the file": "*/*", "a stream of server-sent events": "text/event-stream"}
    return {texts.get(endpoint.returns, "application/json"): {}}


def media_of(endpoint: Endpoint) -> str:
    """Return the content type of the good answer; `*/*` or `image/*` for a file."""
    return next(iter(_content(endpoint)))


def result_of(endpoint: Endpoint) -> tuple[str, str]:
    """Return the type of what a function returns, and how it reads that from `answer`."""
    ((media, described), *_) = _content(endpoint).items()
    if media == "text/event-stream":
        return "ReadableStream<Uint8Array> | null", "answer.body"
    if "*" in media:
        return "Blob", "answer.blob()"
    if media == "text/plain":
        return "string", "answer.text()"
    return _schema_type(described.get("schema", {})), "answer.json()"


def _schema_type(schema: Mapping[str, Any]) -> str:
    """Return the TypeScript type of a JSON Schema."""
    schema = resolved(schema)
    if "const" in schema:
        return javascript(schema["const"])
    if "enum" in schema:
        return " | ".join(map(javascript, schema["enum"]))
    kind = schema.get("type")
    kinds = [{**schema, "type": each} for each in kind] if isinstance(kind, list) else []
    if kinds := schema.get("anyOf", kinds):
        return " | ".join(map(_schema_type, kinds))
    if kind == "array":
        return f"({_schema_type(schema.get('items', {}))})[]"
    return _object(schema) if kind == "object" else _WORDS.get(str(kind), "unknown")


def _object(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    fields = [
        f"{key(name)}{'' if name in required else '?'}: {_schema_type(each)}"
        for name, each in schema.get("properties", {}).items()
    ]
    more = schema.get("additionalProperties")
    if more and not fields:
        fields.append(f"[key: string]: {_schema_type(more)}")
    return "{ " + "; ".join(fields) + " }" if fields else "Record<string, unknown>"
