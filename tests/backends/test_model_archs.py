"""The architectures that a web UI lists: read as text, whatever that text is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.backends.webui.model_archs import LARGEST, entries
from aitk_nb.training import presets
from tests.loops import for_each

HEAD = """\
// UI entries (training form + Generate page) for the models this package
// registers in AI_TOOLKIT_MODELS. Loaded at runtime by the UI, not bundled:
// see ui/src/extensions/README.md for the convention and the allowed imports.
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
"""
FLEX2 = (
    HEAD
    + """\
const AI_TOOLKIT_UI_MODELS = [
    {
        name: "flex2",
        label: "Flex.2",
        group: "image",
        controls: [
            "depth",
            "line",
            "pose",
            "inpaint"
        ],
        defaults: {
            // default updates when [selected, unselected] in the UI
            "config.process[0].model.name_or_path": [
                "ostris/Flex.2-preview",
                defaultNameOrPath
            ],
            "config.process[0].model.quantize": [
                true,
                false
            ],
            "config.process[0].model.model_kwargs": [
                {
                    invert_inpaint_mask_chance: 0.2,
                    inpaint_dropout: 0.5,
                    do_random_inpainting: true
                },
                {}
            ],
            "config.process[0].network.conv": [
                undefined,
                16
            ],
            "config.process[0].train.noise_scheduler": [
                "flowmatch",
                "flowmatch"
            ]
        },
        disableSections: [
            "network.conv"
        ]
    }
];
"""
)
OMNI = (
    HEAD
    + """\
const AI_TOOLKIT_UI_MODELS = [
    {
        name: "qwen25_omni",
        label: "Qwen2.5-Omni",
        group: "llm",
        defaults: {
            "config.process[0].train.batch_size": [
                1,
                1
            ],
            "config.process[0].sample": [
                _defaultSamples.defaultQwen25OmniSampleConfig,
                _defaultSamples.defaultSampleConfig
            ],
            // it is large (~54 MB per 300 s of audio), "config.process[0].x": [1
            "config.process[0].datasets[x].resolution": [
                [
                    512
                ],
                [
                    512,
                    768
                ]
            ],
            "config.process[0].model.model_kwargs": [
                {
                    instruction: "Describe this in detail."
                },
                {}
            ]
        },
        additionalSections: [
            "model.model_kwargs.instruction",
            "model.layer_offloading",
            "sample.ctrl_img",
            "datasets.num_frames"
        ],
        modelNotes: /*#__PURE__*/ (0, _jsxruntime.jsxs)("div", {
            className: "space-y-2",
            children: [
                "Media is { encoded [ by the towers",
                /*#__PURE__*/ (0, _jsxruntime.jsx)("code", {
                    children: "loss/ce"
                })
            ]
        }),
        customModelSelectOptions: [
            {
                label: "Transparency (RGBA)",
                getValue: (config)=>config?.config?.process?.[0]?.model?.rgba ?? false,
                onChange: (value, config, setJobConfig)=>{
                    const kwargs = {
                        ...config?.config?.process?.[0]?.model?.model_kwargs ?? {}
                    };
                    if (value) {
                        kwargs.rgba = true;
                    } else {
                        delete kwargs.rgba;
                    }
                    setJobConfig(kwargs, "config.process[0].model.model_kwargs");
                }
            }
        ]
    }
];
"""
)


def module(entry: str, before: str = "") -> str:
    """A module whose list has one entry with these further keys."""
    return f"""{before}
const AI_TOOLKIT_UI_MODELS = [{{name: "a", label: "A", group: "image", {entry}}}];"""


def read(entry: str, before: str = "") -> dict[str, Any]:
    """What is read of that entry."""
    return entries(module(entry, before))["a"]


def default(value: str, before: str = "") -> Any:
    """The value that is read of one default; ... if it is not."""
    found = read(f'defaults: {{"config.process[0].model.x": [{value}, 1]}}', before)
    assert ("model.x" in found["defaults"]) != (found["unread"] == ["model.x"])
    return found["defaults"].get("model.x", ...)


def test_flex2_gives_exactly_its_defaults() -> None:
    """The contract's first example, an absent value among them."""
    assert {
        "flex2": {
            "label": "Flex.2",
            "group": "image",
            "gate_url": "",
            "video": False,
            "controls": ["depth", "line", "pose", "inpaint"],
            "needs": [],
            "offloads": False,
            "defaults": {
                "model.name_or_path": "ostris/Flex.2-preview",
                "model.quantize": True,
                "model.model_kwargs": {
                    "invert_inpaint_mask_chance": 0.2,
                    "inpaint_dropout": 0.5,
                    "do_random_inpainting": True,
                },
                "network.conv": None,
                "train.noise_scheduler": "flowmatch",
            },
            "unread": [],
        }
    } == entries(FLEX2)


def test_qwen25_omni_gives_its_literal_ones() -> None:
    """What another module holds is not guessed; functions and JSX are passed over."""
    found = entries(OMNI)["qwen25_omni"]

    assert {
        "train.batch_size": 1,
        "datasets[x].resolution": [512],
        "model.model_kwargs": {"instruction": "Describe this in detail."},
    } == found["defaults"]
    assert ["sample"] == found["unread"]
    assert ["sample.ctrl_img", "datasets.num_frames"] == found["needs"]
    assert found["offloads"]
    assert "llm" == found["group"]


@for_each(
    "case",
    [
        ("3.0", "", 3),
        ("-0.5", "", -0.5),
        ("1e-4", "", 1e-4),
        ("0x10", "", 16),
        ("9" * 5000, "", ...),
        ("1n", "", ...),
        ("void 0", "", None),
        ("null", "", None),
        (r"'it\'s \"x\" \u00fc \u{1F600} \x41 \ud83d\ude00 \n'", "", 'it\'s "x" ü 😀 A 😀 \n'),
        (r"'\ud800'", "", "\ufffd"),
        ("`a\nb`", "", "a\nb"),
        ("`a ${`b`} c`", "", ...),
        ("[1, 'two', [true]]", "", [1, "two", [True]]),
        ("[...x]", "", ...),
        ("{a: 1, 'b c': {d: null}, 3: 4}", "", {"a": 1, "b c": {"d": None}, "3": 4}),
        ("{a: f()}", "", ...),
        ("{...more, b: 1}", "const more = {a: 1, b: 2};", ...),
        ("1 - 1", "", ...),
        ("1 -1", "", ...),
        ("{...more(), b: 1}", "", ...),
        ("{a() { return 1 }}", "", ...),
        ("name", 'const name = "x";', "x"),
        ("name", "let name = -1.5;", -1.5),
        ("name.x", "const name = {x: 1};", ...),
        ("name", "function f() { const name = 1; }", ...),
        ("true ? 1 : 2", "", ...),
        ("!0", "", ...),
        ("(1)", "", ...),
        ("/*#__PURE__*/ f(1)", "", ...),
        ("// ]\n 5", "", 5),
        ("<b>x</b>", "", ...),
        ("require('fs').writeFileSync('x', 'y')", "", ...),
        ("__import__('os').system('x')", "", ...),
    ],
    lambda case: case[0][:20],
)
def test_literals_are_read_and_nothing_else(case: tuple[str, str, Any]) -> None:
    """Each as JavaScript has it; what would have to be computed is left out."""
    value, before, expected = case
    found = default(value, before)
    assert (expected, type(expected)) == (found, type(found))


def test_what_follows_the_list_does_not_matter() -> None:
    """It may be sorted, and be exported in another way."""
    code = module("").replace("];", '].sort((a, b)=>a.label < b.label ? -1 : 1).map("x");')

    assert ["a"] == list(entries(code))
    assert ["a"] == list(entries(code.replace("const", "export let")))


def test_an_entry_without_a_label_drops_its_module() -> None:
    """As the page does it; an entry that cannot be read is passed over alone."""
    one = '{name: "b", label: "B", group: "image"}'

    assert {} == entries(f'const AI_TOOLKIT_UI_MODELS = [{{name: "a", group: "x"}}, {one}];')
    assert {} == entries(
        f'const AI_TOOLKIT_UI_MODELS = [{{name: "a", label: 1, group: "x"}}, {one}]'
    )
    code = f"const AI_TOOLKIT_UI_MODELS = [make(), {{name: f(), label: 'x', group: 'y'}}, {one}];"
    assert ["b"] == list(entries(code))


def test_of_a_list_that_cannot_be_read_the_names_are_known() -> None:
    """Enough to say that the server has them; their presets are ours."""
    code = FLEX2.replace("const AI_TOOLKIT_UI_MODELS = [", "const AI_TOOLKIT_UI_MODELS = make([")
    assert {"flex2": {"unread": [""]}} == entries(code)

    with presets.using(entries(code)):
        assert presets.packaged()["flex2"] == presets.load()["flex2"]


def test_size_and_depth_are_bounded() -> None:
    """Whatever is deeper or larger is unknown, and constants of constants do not grow."""
    assert {} == entries(module("") + " " * LARGEST)
    assert ... is default("[" * 60 + "]" * 60)
    assert [[[]]] == default("[[[]]]")
    assert ... is default("many", "const many = [1, 1];")


CODES = st.sampled_from([FLEX2, OMNI, module("controls: []", "const x = `${1}`;")])
SCRAPS = st.sampled_from(
    [*"{}[]()\"'`\\,;:/*$-.0=<>\n", "${", "/*", "*/", "//", "...", "=>", "const x =", "\\u{", "\\x"]
)


@given(CODES, st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), SCRAPS), max_size=6))
def test_mutilated_texts_never_raise(code: str, cuts: list[tuple[float, int, str]]) -> None:
    """Whatever was cut out and put in, an answer comes, and presets come of it."""
    for place, length, scrap in cuts:
        at = int(place * len(code))
        code = code[:at] + scrap + code[at + length :]

    found = entries(code)

    with presets.using(found):
        assert presets.load().keys() >= {*presets.packaged(), *found}


@given(st.text() | st.lists(SCRAPS).map("".join))
def test_any_text_is_read(text: str) -> None:
    """Texts that are no program, and values that are none."""
    entries(text)
    entries(f"const AI_TOOLKIT_UI_MODELS = [{text}")
    entries(module(f"defaults: {text}, controls: {text}"))
