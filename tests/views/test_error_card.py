"""An error that ends a cell: a card on a page, a few lines elsewhere, the traceback on request."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from aitk_nb import errors
from aitk_nb._display.error_card import card

SECRET = "planted-4711-secret"
FAILS = "import aitk_nb\naitk_nb.connect('http://127.0.0.1:9')"
DOCTOR = "aitk-nb doctor --url http://127.0.0.1:9"

Outputs = list[dict[str, Any]]


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    """One kernel for all tests."""
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(kernel: BlockingKernelClient, code: str, *, attended: bool) -> tuple[str, Outputs]:
    """Return how a cell ended, and what it showed to a page or to a program."""
    shown: Outputs = []

    def take(message: dict[str, Any]) -> None:
        if message["msg_type"] in {"display_data", "execute_result", "error"}:
            shown.append({"kind": message["msg_type"], **message["content"]})

    reply = kernel.execute_interactive(
        code, allow_stdin=attended, timeout=60, output_hook=take, store_history=True
    )
    return reply["content"]["status"], shown


def test_somebody_before_a_page_sees_one_card(kernel: BlockingKernelClient) -> None:
    """The cell has failed for programs too; an error caught and raised again is a card again."""
    status, shown = run(kernel, FAILS, attended=True)
    page, error = shown

    assert "error" == status
    assert ["display_data", "error"] == [page["kind"], error["kind"]]
    assert "Can&#x27;t reach http://127.0.0.1:9" in page["data"]["text/html"]
    assert DOCTOR in page["data"]["text/html"]
    assert "<details>" in page["data"]["text/html"]
    assert page["data"]["text/plain"].startswith("ConnectionFailed: Can't reach")
    assert ("ConnectionFailed", ["\x1b[0m"]) == (error["ename"], error["traceback"])
    assert "Can't reach" in error["evalue"]

    kept = "try: aitk_nb.connect('http://127.0.0.1:9')\nexcept aitk_nb.AitkError as e: kept = e"
    run(kernel, kept, attended=True)
    for _ in range(2):
        _, shown = run(kernel, "raise kept", attended=True)
        assert ["display_data", "error"] == [output["kind"] for output in shown]


def test_a_program_gets_a_few_lines(kernel: BlockingKernelClient) -> None:
    """In the error itself, which is what papermill reports."""
    status, shown = run(kernel, FAILS, attended=False)
    (error,) = shown

    assert "error" == status
    text = "\n".join(error["traceback"])
    assert text.startswith("ConnectionFailed: Can't reach http://127.0.0.1:9")
    assert DOCTOR in text
    assert len(text.splitlines()) < 8


def test_the_traceback_is_one_command_away(kernel: BlockingKernelClient) -> None:
    """As the lines say."""
    run(kernel, "%xmode Verbose", attended=True)
    _, shown = run(kernel, FAILS, attended=True)
    run(kernel, "%xmode Context", attended=True)
    (error,) = shown

    assert len("\n".join(error["traceback"]).splitlines()) > 20


def test_a_terminal_shows_the_same_lines(tmp_path: Path) -> None:
    """IPython there knows no HTML."""
    command = [sys.executable, "-m", "IPython", "--quick", "--colors=nocolor", "-c", FAILS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert "ConnectionFailed: Can't reach" in done.stdout
    assert DOCTOR in done.stdout
    assert "Traceback (most" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) < 9


MADE: list[Callable[[], errors.AitkError]] = [
    lambda: errors.BadInput("<script>alert(1)</script> is wrong. Use <b>this</b>."),
    lambda: errors.InvalidParams({"steps": "<script>"}),
    lambda: errors.Unauthorized("http://<script>", sent=True),
    lambda: errors.NotFound("job", "<script>", ["<script>"]),
    lambda: errors.MissingExtra("<script>", "pip install <script>"),
]


@pytest.mark.parametrize("make", MADE)
def test_a_card_escapes_all_and_keeps_secrets(make: Callable[[], errors.AitkError]) -> None:
    """Neither what a cause says nor the line of a cell is in it."""
    try:
        try:
            raise ValueError(f"sent Bearer {SECRET}")
        except ValueError as exc:
            assert SECRET
            raise make() from exc
    except errors.AitkError as exc:
        shown = card(exc, exc.command)

    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert SECRET not in shown
    assert "because of builtins.ValueError" in shown
    assert "Bearer" not in shown
    assert "test_error_card.py, line" in shown


def test_the_first_sentence_leads() -> None:
    """What to do stands below it; a dot within a sentence ends none."""
    shown = card(errors.ConnectionFailed("http://a.b:1/c", "no route. really"))

    assert "<strong>Can&#x27;t reach http://a.b:1/c (no route. really).</strong>" in shown
    assert ">Is the server running, the address correct and the port open?<" in shown
