"""The list of architectures, as JavaScript in the form in which the real server transpiles it.

What the page needs besides is there too, as it is there: notes in JSX, functions, constants, names
of other modules, and one module that cannot be transpiled.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from starlette.responses import Response

from aitk_nb.demo.webui import javascript
from aitk_nb.demo.webui.wire import Call, answer

_MTIME = 1_758_300_000_000.123
_GROUPS = {"audio": "audio_models", "llm": "llm_models"}
_PACKAGES = ("audio_models", "diffusion_models", "flex2", "llm_models")
_BEFORE = """\
// UI entries (training form + Generate page) for the models of this package: [a, "list", {of}].
"use strict";
Object.defineProperty(exports, "__esModule", {
    value: true
});
Object.defineProperty(exports, "AI_TOOLKIT_UI_MODELS", {
    enumerable: true,
    get: function() {
        return AI_TOOLKIT_UI_MODELS;
    }
});
const _jsxruntime = require("react/jsx-runtime");
const _defaultSamples = require("@/helpers/defaultSamples");
const defaultNameOrPath = "";
const AI_TOOLKIT_UI_MODELS = [
"""
_NOTES = """\
        modelNotes: /*#__PURE__*/ (0, _jsxruntime.jsxs)("div", {
            className: "space-y-2",
            children: [
                "It is { \\"shown\\": [in] the form; see ",
                /*#__PURE__*/ (0, _jsxruntime.jsx)("code", {
                    children: "loss/ce, name: 'nothing'"
                })
            ]
        }),
        customModelSelectOptions: [
            {
                type: "checkbox",
                label: `The ${"`"}name${"`"} of it`,
                getValue: (config)=>config?.config?.process?.[0]?.model?.model_kwargs?.x ?? false,
                onChange: (value, config, setJobConfig)=>{
                    const kwargs = {
                        ...config?.config?.process?.[0]?.model?.model_kwargs ?? {}
                    };
                    if (value) {
                        kwargs.x = true;
                    }
                    setJobConfig(kwargs, "config.process[0].model.model_kwargs");
                }
            }
        ]
"""
_BROKEN = (
    "  \x1b[31mx\x1b[0m Expression expected\n   ,-[ui.tsx:3:1]\n 3 | }\n   : ^\n   `----\n\n"
    "Caused by:\n    Syntax Error"
)


def model_archs(call: Call) -> Response:
    """Answer the modules of the packages, and the one that is broken."""
    root = call.store.data / "toolkit"

    def place(package: str) -> dict[str, object]:
        return {"id": package, "file": str(root / package / "ui.tsx")}

    modules = [
        {**place(f"extensions_built_in/{package}"), "mtimeMs": _MTIME, "code": code(package)}
        for package in _PACKAGES
    ]
    errors = [{**place("extensions/broken"), "error": _BROKEN}]
    response = answer({"modules": modules, "errors": errors})
    response.headers["cache-control"] = "no-store"
    return response


@cache
def code(package: str) -> str:
    """Return the module of a package."""
    chosen = [
        _entry(arch, facts)
        for arch, facts in _table().items()
        if package == ("flex2" if arch == "flex2" else _package(facts))
    ]
    return f"{_BEFORE}{','.join(chosen)}\n];\n"


@cache
def _table() -> dict[str, dict[str, Any]]:
    """Return the one table of the architectures, which is data of the other side."""
    text = (files("aitk_nb") / "training" / "presets.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    table: dict[str, dict[str, Any]] = yaml.load(text, Loader=loader)  # noqa: S506  (a safe one)
    return table


def _package(facts: dict[str, Any]) -> str:
    return _GROUPS.get(facts["group"], "diffusion_models")


def _entry(arch: str, facts: dict[str, Any]) -> str:
    sections = [*facts.get("needs", ()), *["model.layer_offloading"] * facts.get("offloads", False)]
    lines = [
        f"name: {json.dumps(arch)}",
        f"label: {json.dumps(facts['label'])}",
        f"group: '{facts['group']}'",
        f"defaults: {{{''.join(_defaults(facts['defaults']))}\n        }}",
        f"additionalSections: {json.dumps(sections)}",
    ]
    lines += ["isVideoModel: true"] * facts.get("video", False)
    lines += [f"controls: {json.dumps(facts['controls'])}"] if "controls" in facts else []
    lines += [f"gateUrl: {json.dumps(facts['gate_url'])}"] if "gate_url" in facts else []
    body = "".join(f"        {line},\n" for line in lines)
    return f"    {{\n{body}{_NOTES}    }}"


def _defaults(values: dict[str, Any]) -> list[str]:
    """Return the lines of the defaults; a whole section is the name of another module's value."""
    whole = "sample.walk_seed" in values
    lines = ["\n            // default updates when [selected, unselected] in the UI"]
    if whole:
        names = "_defaultSamples.theirs, _defaultSamples.defaultSampleConfig"
        lines.append(f'\n            "config.process[0].sample": [{names}],')
    for path, value in values.items():
        if whole and path.startswith("sample."):
            continue
        told = "undefined" if value is None else javascript.dumps(value)
        other = "defaultNameOrPath" if path == "model.name_or_path" else "undefined"
        lines.append(f'\n            "config.process[0].{path}": [{told}, {other}],')
    return [*lines[:-1], lines[-1].rstrip(",")]
