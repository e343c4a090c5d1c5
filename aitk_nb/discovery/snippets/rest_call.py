"""A request in curl, Python, JavaScript and TypeScript."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePath

from aitk_nb.discovery.snippets.preludes import curl as curl_prelude
from aitk_nb.discovery.snippets.preludes import javascript_prelude, python_prelude
from aitk_nb.discovery.snippets.quoting import comment, javascript, python, shell
from aitk_nb.discovery.snippets.request import Request

__all__ = ["EMITTERS"]

EVENTS = 3
"""Lines of an endless stream that are shown."""


def _curl(request: Request, url: str, auth: str) -> str:
    before, send = curl_prelude(url, auth)
    words = [send]
    if request.has_json:
        body = json.dumps(request.body)
        words += ["-H 'Content-Type: application/json'", f"--data-raw {shell(body)}"]
    words += [f"--form-string {shell(f'{name}={value}')}" for name, value in request.form.items()]
    words += [
        f"-F {shell(f'{name}=@{_in_form(path)}')}"
        for name, paths in request.files.items()
        for path in paths
    ]
    if request.media == "file":
        words.append(f"-o {shell('./' + request.save_as)}")
    words.append(f'"$url"{shell(request.path)}')
    if request.media == "events":
        words.append(f"-N 2>/dev/null | head -n {EVENTS}")
    return f"{_head('#', request)}{before}{' '.join(words)}\n"


def _in_form(path: str) -> str:
    """Return a path as curl's -F takes it: in double quotes, with their escapes."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _python(request: Request, url: str, auth: str) -> str:
    before = python_prelude(url, auth)
    arguments = [python(request.path)]
    if request.has_json:
        arguments.append(f"json={python(request.body)}")
    if request.form:
        arguments.append(f"data={python(request.form)}")
    lines = []
    if request.files:
        parts = ", ".join(
            f'({python(name)}, ({python(PurePath(path).name)}, open({python(path)}, "rb")))'
            for name, paths in request.files.items()
            for path in paths
        )
        lines.append(f"files = [{parts}]")
        arguments.append("files=files")
    called = f"{request.method.lower()}({', '.join(arguments)})"
    if request.media == "events":
        lines += [
            f'with server.stream("GET", {python(request.path)}) as stream:',
            f"    for line, _ in zip(stream.iter_lines(), range({EVENTS})):",
            "        print(line)",
        ]
    elif request.media == "file":
        lines += [
            f"answer = server.{called}.raise_for_status()",
            f'with open({python(request.save_as)}, "wb") as file:',
            "    file.write(answer.content)",
        ]
    else:
        lines += [
            f"answer = server.{called}.raise_for_status()",
            f"print(answer.{'text' if request.media == 'text' else 'json()'})",
        ]
    return f"{_head('#', request)}{before}\n" + "\n".join(lines) + "\n"


def _javascript(request: Request, url: str, auth: str) -> str:
    before = javascript_prelude(url, auth)
    lines, options = [], []
    imports = []
    if request.method != "GET":
        options.append(f"method: {javascript(request.method)}")
    if request.has_json:
        options.append('headers: { ...headers, "Content-Type": "application/json" }')
        options.append(f"body: JSON.stringify({javascript(request.body)})")
    else:
        options.append("headers")
    if request.form or request.files:
        lines.append("const form = new FormData();")
        lines += [
            f"form.append({javascript(name)}, {javascript(value)});"
            for name, value in request.form.items()
        ]
        for name, paths in request.files.items():
            for path in paths:
                blob = f"new Blob([await readFile({javascript(path)})])"
                file = javascript(PurePath(path).name)
                lines.append(f"form.append({javascript(name)}, {blob}, {file});")
        options.append("body: form")
    if request.files:
        imports.append("readFile")
    if request.media == "file":
        imports.append("writeFile")
    address = f"url + {javascript(request.path)}"
    lines += [
        f"const answer = await fetch({address}, {{ {', '.join(options)} }});",
        "if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);",
        *_end(request),
    ]
    names = ", ".join(imports)
    imported = f'import {{ {names} }} from "node:fs/promises";\n\n' if imports else ""
    return f"{_head('//', request)}{imported}{before}\n" + "\n".join(lines) + "\n"


def _end(request: Request) -> list[str]:
    if request.media == "events":
        return [
            "const reader = answer.body.getReader();",
            "console.log(new TextDecoder().decode((await reader.read()).value));",
            "await reader.cancel();",
        ]
    if request.media == "file":
        data = "Buffer.from(await answer.arrayBuffer())"
        return [f"await writeFile({javascript(request.save_as)}, {data});"]
    return [f"console.log(await answer.{'text' if request.media == 'text' else 'json'}());"]


def _head(sign: str, request: Request) -> str:
    return f"{sign} {comment(request.title)}\n"


EMITTERS: Mapping[str, Callable[[Request, str, str], str]] = {
    "curl": _curl,
    "python": _python,
    "javascript": _javascript,
}
