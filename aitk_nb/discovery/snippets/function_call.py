"""One call of a function of a Gradio app in all five languages.

The value of a State is sent as null: the app keeps it for the page. A function that needs what
another one left in the State has to be called in the same session (`operations.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

from aitk_nb.discovery.snippets import typescript
from aitk_nb.discovery.snippets.literals import (
    LITERALS,
    Code,
    is_keyword_argument,
    javascript,
    json_in_shell,
    member,
    python,
    shell,
)
from aitk_nb.discovery.snippets.program import assembled, head, sends
from aitk_nb.discovery.snippets.rest_call import checked, example_of, fetch, form_file
from aitk_nb.models.endpoint import Endpoint, Parameter, rows

META = {"_type": "gradio.FileData"}

FAILED = '^event: error|"success": *false'
"""What a stream of results has in a line of a call that failed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One function with the values that it gets."""

    endpoint: Endpoint
    prefix: str
    values: Mapping[str, object]
    """Value by parameter; files as local paths."""

    @property
    def is_named(self) -> bool:
        """True for a function with a name; another one is called by its number."""
        return self.endpoint.name.startswith("/")

    @property
    def path(self) -> str:
        """Where it is called, percent-encoded."""
        name = quote(self.endpoint.name, safe="/")
        return f"{self.prefix}/call{name}" if self.is_named else f"{self.prefix}/queue/join"

    @property
    def watched(self) -> str:
        """Where its results are, up to the number of the call or the session."""
        return f"{self.path}/" if self.is_named else f"{self.prefix}/queue/data?session_hash="

    @property
    def files(self) -> list[str]:
        """Every local file that is sent, each once."""
        sent = (self.values[p.name] for p in self.endpoint.sent if "file" in p.type)
        return list(dict.fromkeys(path for value in sent for path in _paths(value)))

    def data(self, file: Callable[[str], object]) -> list[object]:
        """Return the values in the order of the wire; `file` says how a file is named there."""
        return data_of(self.endpoint, self.values, file)


def function_call(
    endpoint: Endpoint,
    language: str,
    url: str,
    auth: str,
    prefix: str,
    values: Mapping[str, object],
) -> str:
    """Return a program that calls a function of a Gradio app.

    Args:
        endpoint: The function.
        language: One of `LANGUAGES`.
        url: The server's address.
        auth: What proves who asks: `login`, or anything else for nothing.
        prefix: Path before every address of the app's API.
        values: Values by parameter, files as local paths; examples stand for the others.

    Raises:
        BadInput: The function has no such parameter.
    """
    checked(endpoint, values)
    call = Call(endpoint, prefix, {**examples(endpoint), **values})
    title = endpoint.does or endpoint.name
    if language == "typescript":
        return typescript.function(endpoint, title, "unknown[]", _typescript(call))
    gaps = {"url": LITERALS[language](url)}
    lines = _LINES[language](call, auth)
    return assembled(language, [title], head(auth), gaps, lines)


def examples(endpoint: Endpoint) -> dict[str, object]:
    """Return a value for each parameter that a caller gives."""
    return {parameter.name: example_of(parameter) for parameter in endpoint.sent}


def data_of(
    endpoint: Endpoint, values: Mapping[str, object], file: Callable[[str], object]
) -> list[object]:
    """Return the values of a call in the order of the wire.

    Args:
        endpoint: The function.
        values: Value by parameter; files as local paths, or code that is put in as it is.
        file: From a local path to how the file is named on the wire.
    """

    def value_of(parameter: Parameter) -> object:
        value = None if parameter.hidden else values[parameter.name]
        if "file" not in parameter.type or isinstance(value, Code):
            return value
        named = [file(path) for path in _paths(value)]
        return named if parameter.type.startswith("list") else (named or [None])[0]

    return [value_of(parameter) for parameter in endpoint.parameters]


def _paths(value: object) -> list[str]:
    if value is None or isinstance(value, Code):
        return []
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def _curl(call: Call, auth: str) -> list[str]:
    send, lines = sends(auth), []
    names: dict[str, Code] = {}
    for number, path in enumerate(call.files):
        names[path] = Code(f"file{number}")
        sent = f'{send} -F {form_file("files", path)} "$url"{shell(call.prefix + "/upload")}'
        lines.append(f"file{number}=$({sent} | sed -E 's/^\\[\"(.*)\"\\]$/\\1/')")
    data = call.data(lambda path: {"path": names[path], "meta": META})
    post = f"{send} -H 'Content-Type: application/json' --data-raw"
    if call.is_named:
        body = json_in_shell({"data": data})
        strip = 'sed -E \'s/.*"event_id": *"([^"]*)".*/\\1/\''
        lines.append(f'event=$({post} {body} "$url"{shell(call.path)} | {strip})')
    else:
        event = Code("event")
        body = json_in_shell({"data": data, "fn_index": call.endpoint.index, "session_hash": event})
        lines += ["event=$(date +%s)$$", f'{post} {body} "$url"{shell(call.path)}']
    watch = f'{send} -N "$url"{shell(call.watched)}"$event"'
    return [
        *lines,
        f"{watch} | awk '{{ print; fflush() }} /{FAILED}/ {{ bad = 1 }} END {{ exit bad }}'",
    ]


def _python(call: Call, _auth: str) -> list[str]:
    lines = ["import re"]
    if call.files:
        lines += [
            "uploaded = {}",
            f"for name in {python(call.files)}:",
            '    with open(name, "rb") as file:',
            f"        sent = server.post({python(call.prefix + '/upload')}, "
            'files={"files": file})',
            "    path = sent.raise_for_status().json()[0]",
            f'    uploaded[name] = {{"path": path, "meta": {python(META)}}}',
        ]
    data = call.data(lambda path: Code(f"uploaded[{python(path)}]"))
    lines.append(f"data = {python(data)}")
    if call.is_named:
        body, reading = '{"data": data}', '.json()["event_id"]'
    else:
        lines = ["import uuid", *lines, "event = uuid.uuid4().hex"]
        body = f'{{"data": data, "fn_index": {call.endpoint.index}, "session_hash": event}}'
        reading = ""
    posted = f"server.post({python(call.path)}, json={body}).raise_for_status(){reading}"
    return [
        *lines,
        f"event = {posted}" if reading else posted,
        "failed = False",
        f'with server.stream("GET", {python(call.watched)} + event, timeout=None) as stream:',
        "    for line in stream.iter_lines():",
        "        print(line)",
        f"        failed = failed or bool(re.search({python(FAILED)}, line))",
        "if failed:",
        '    raise SystemExit("The call failed.")',
    ]


def _gradio_client(call: Call, _auth: str) -> list[str]:
    data = call.data(lambda path: Code(f"handle_file({python(path)})"))
    pairs = [
        (p.name, value)
        for p, value in zip(call.endpoint.parameters, data, strict=True)
        if not p.hidden
    ]
    by_name = all(is_keyword_argument(n) and n not in {"api_name", "fn_index"} for n, _ in pairs)
    if by_name and len(pairs) <= 20:
        arguments = [f"{name}={python(value)}" for name, value in pairs]
    else:
        arguments = [python([value for _, value in pairs])[1:-1]]
    named = f"api_name={python(call.endpoint.name)}"
    arguments.append(named if call.is_named else f"fn_index={call.endpoint.index}")
    imports = ["from gradio_client import handle_file"] if call.files else []
    if call.endpoint.generator:
        job = f"job = client.submit({', '.join(arguments)})"
        return [*imports, job, "for result in job:", "    print(result)"]
    rows = [f"    {argument}," for argument in arguments]
    return [*imports, "result = client.predict(", *rows, ")", "print(result)"]


def _joined(call: Call) -> list[str]:
    """Return the lines of JavaScript that send `data`, and put the events into `text`."""
    body, event, lines = "{ data }", "(await answer.json()).event_id", []
    if not call.is_named:
        lines, event = ["const session_hash = crypto.randomUUID();"], "session_hash"
        body = f"{{ data, fn_index: {call.endpoint.index}, session_hash }}"
    return [
        *lines,
        *fetch("POST", f"url + {javascript(call.path)}", json=body),
        f"const events = await fetch(url + {javascript(call.watched)} + {event}, {{ headers }});",
        "const text = await events.text();",
    ]


def _javascript(call: Call, _auth: str) -> list[str]:
    lines = []
    if call.files:
        sent = fetch("POST", f"url + {javascript(call.prefix + '/upload')}", form=[_APPEND])
        lines = [
            'import { readFile } from "node:fs/promises";',
            "async function upload(path, name) {",
            *(f"  {line}" for line in sent),
            f"  return {{ path: (await answer.json())[0], meta: {javascript(META)} }};",
            "}",
        ]

    def file(path: str) -> Code:
        return Code(f"await upload({javascript(path)}, {javascript(PurePath(path).name)})")

    data = f"const data = {javascript(call.data(file))};"
    failed = f"if (/{FAILED}/m.test(text)) throw new Error(text);"
    return [*lines, data, *_joined(call), "console.log(text);", failed]


_APPEND = 'form.append("files", new Blob([await readFile(path)]), name);'


def _typescript(call: Call) -> list[str]:
    words = []
    for parameter, *more in rows(call.endpoint.parameters):
        is_text = more and parameter.type == "string" and parameter.default is None
        default = javascript("" if is_text else parameter.default)
        if parameter.hidden:
            words += ["null"] * (len(more) + 1)
        elif more:
            given = member(f"{parameter.name}_to_{more[-1].name}")
            size = f"{{ length: {len(more) + 1} }}"
            words.append(f"...Array.from({size}, (_, at) => {given}?.[at] ?? {default})")
        else:
            given = member(parameter.name)
            words.append(given if parameter.required else f"{given} ?? {default}")
    data = f"const data: unknown[] = [{', '.join(words)}];"
    return [data, *_joined(call), *(_NAMED_END if call.is_named else _NUMBERED_END)]


_NAMED_END = (
    "const last = [...text.matchAll(/^event: (.*)\\ndata: (.*)$/gm)].at(-1);",
    'if (!last || last[1] !== "complete") throw new Error(last?.[2] ?? text);',
    "return JSON.parse(last[2]!);",
)
_NUMBERED_END = (
    "const messages = [...text.matchAll(/^data: (.*)$/gm)].map((line) => JSON.parse(line[1]!));",
    'const last = messages.find((each) => each.msg === "process_completed");',
    "if (!last?.success) throw new Error(last?.output?.error ?? text);",
    "return last.output.data;",
)

_LINES: Mapping[str, Callable[[Call, str], list[str]]] = {
    "curl": _curl,
    "python": _python,
    "gradio_client": _gradio_client,
    "javascript": _javascript,
}
