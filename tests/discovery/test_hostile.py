"""What a server says stays a text in every language, whatever it holds."""

from __future__ import annotations

import ast
import json
import math
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb import Flavour
from aitk_nb.backends.gradio.matching import match
from aitk_nb.discovery.report import DiscoveryReport
from aitk_nb.discovery.snippets.program import (
    Code,
    comment,
    identifier,
    javascript,
    json_in_shell,
    python,
    shell,
)
from aitk_nb.models.endpoint import Endpoint, Parameter
from tests.discovery.programs import compiled, run_all

LINES = "\n\r\u2028\u2029\x0b\x0c\x85"

BOMB = (
    "'; touch pwned; '\"; touch pwned; \" `touch pwned` $(touch pwned) \\"
    "\n touch pwned\n*/ require('fs').writeFileSync('pwned', ''); /* \\' \\\" ${1+1} \u2028"
    "import('node:fs').then((fs) => fs.writeFileSync('pwned', ''))//\r"
    "\n__import__('pathlib').Path('pwned').touch()\n\x00\x1b]0;x\x07\u202e"
    '§ if x «send» "«% x %»" «# #» ¦: string¦ %s {0}'
)


@given(st.text())
def test_a_literal_is_the_text(text: str) -> None:
    """For Python, JavaScript (whose literals are JSON here) and the shell."""
    assert text == ast.literal_eval(python(text))
    assert text == json.loads(javascript(text))
    for literal in (python(text), javascript(text)):
        assert not set(literal) & set(LINES)
    sent = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    assert [sent] == shlex.split(shell(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(JSON)
def test_any_value_of_json_comes_back(value: Any) -> None:
    """Repeated items too, which are written once."""
    expected = json.loads(json.dumps(_plain(value)))
    assert expected == eval(python(value), {"__builtins__": {}})
    (word,) = shlex.split(json_in_shell(value))
    assert expected == json.loads(word)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_long_rows_are_short() -> None:
    """As repetitions of the language."""
    assert '["a", *[""] * 150]' == python(["a", *[""] * 150])
    assert '["a", ...Array(150).fill("")]' == javascript(["a", *[""] * 150])


def test_a_variable_of_the_shell_stands_inside_json() -> None:
    """Between quotes, or for a whole value."""
    text = json_in_shell({"a": Code("x"), "b": [Code("y", whole=True), "it's"]})
    assert """'{"a": "'"$x"'", "b": ['"$y"', "it'\\''s"]}'""" == text


@given(st.text())
def test_a_comment_is_one_line_and_does_not_end(text: str) -> None:
    """In any of the languages."""
    line = comment(text)
    assert not set(line) & set(LINES)
    assert "*/" not in line


@given(st.text())
def test_a_name_is_a_name(text: str) -> None:
    """Of letters and digits only, and no word of the language."""
    assert identifier(text).isalnum()
    assert identifier(text).isascii()
    assert identifier(text)[0].isalpha()
    assert identifier("/delete") != "delete"


def hostile() -> DiscoveryReport:
    """Return what would be known of a server that says nothing but evil."""
    parameters = (
        Parameter(BOMB, "string", required=True, about=BOMB),
        Parameter("steps", "number", default=BOMB, about=BOMB),
        Parameter("lr", "string", choices=(BOMB, "b"), about=BOMB),
        Parameter("lora_rank", "number", default=float("inf")),
        Parameter("more_advanced_options", "string", default=BOMB),
        Parameter("s", hidden=True),
    )
    common: dict[str, Any] = {
        "does": BOMB, "returns": BOMB, "note": BOMB, "state": "present", "known_by": BOMB,
    }  # fmt: skip
    files = Parameter("images" + BOMB, "list of file", required=True, about=BOMB)
    functions = (
        Endpoint(
            f"/train {BOMB}", "POST", f"/call/{BOMB}", parameters=parameters, index=3, **common
        ),
        Endpoint(f"/create_dataset{BOMB}", "POST", "/c", parameters=(files,), index=2, **common),
        Endpoint("fn_1", "POST", "/queue/join", parameters=parameters, index=1, **common),
    )
    return DiscoveryReport(
        "http://127.0.0.1:9",
        Flavour.GRADIO,
        version=BOMB,
        endpoints=functions,
        operations=match(functions),
    )


def _programs(report: DiscoveryReport, language: str) -> dict[str, str]:
    names = {f"p{at}": endpoint.name for at, endpoint in enumerate(report.endpoints)}
    names |= {"create": "create dataset", "train": "start training"}
    names |= {"status": "job status", "lora": "download LoRA"}
    return {key: report.snippet(name, language) for key, name in names.items()}


@pytest.mark.parametrize("language", ["curl", "python", "gradio_client", "javascript"])
def test_nothing_breaks_out_of_a_program(language: str, tmp_path: Path) -> None:
    """Every program is run; nobody listens, and nothing that the server said happens."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("a")
    (tmp_path / "photo.jpg").write_text("a")
    programs = _programs(hostile(), language)

    ran = run_all(programs, language, tmp_path, ok=False)

    for name, each in ran.items():
        # It came as far as the request.
        assert any(word in each.err.lower() for word in ("connect", "fetch failed")), (name, each)
    assert not list(tmp_path.rglob("pwned*"))
    if language in {"python", "gradio_client"}:
        for program in programs.values():
            ast.parse(program)
            assert "__import__" not in [
                node.id for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Name)
            ]


@pytest.mark.slow
def test_typescript_of_a_hostile_server_compiles(tmp_path: Path) -> None:
    """To types and texts only."""
    report = hostile()
    files = {**_programs(report, "typescript"), "client": report.typescript_client()}

    compiled(files, tmp_path)


def test_the_page_and_markdown_show_it_as_text() -> None:
    """No tag, link or table of the server's comes into either."""
    evil = "<img src=x onerror=alert(1)>|[x](javascript:alert(1)) `<b>`\n| a |\n# big"
    endpoint = Endpoint(
        f"/{evil}", "POST", "/x", evil, (Parameter(evil, about=evil),), evil, index=0
    )
    report = DiscoveryReport("http://x", Flavour.GRADIO, evil, endpoints=(endpoint,))
    page, markdown = report.to_html(), report.to_markdown()

    assert "<img" not in page
    assert "<b>" not in page
    assert "default-src 'none'" in page
    for line in markdown.splitlines():
        assert "<img" not in line.replace("\\<", "")
        assert not line.startswith(("# big", "| a |"))
    assert "[x](" not in markdown
    json.loads(report.to_json())
