"""`client.settings`: all four are written, none is lost, and the token is never shown."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

import aitk_nb
from aitk_nb.connection.connection import Secret
from aitk_nb.errors import AitkError, BadInput
from tests.proxy import FaultProxy

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer

TOKEN = "hf_AbCdEfGhIjKlMnOp"


@pytest.fixture
def untouched(demo_server: DemoServer) -> Iterator[str]:
    """The address of the server, whose token is taken away after the test."""
    yield demo_server.url
    with aitk_nb.connect(demo_server.url) as client:
        client.settings.set(hf_token="", models_path="")


def test_one_setting_is_changed_and_the_others_stay(untouched: str) -> None:
    """The server writes half of a partial body and calls it an error."""
    with aitk_nb.connect(untouched) as client:
        before = client.settings.get()
        after = client.settings.set(hf_token=TOKEN)
        moved = client.settings.set(models_path="/somewhere/models")

    assert (False, True, True) == (
        before.has_hf_token,
        after.has_hf_token,
        moved.has_hf_token,
    )
    assert (before.training_folder, before.datasets_folder) == (
        moved.training_folder,
        moved.datasets_folder,
    )
    assert "/somewhere/models" == moved.models_path
    raw = httpx.get(f"{untouched}/api/settings").json()
    assert TOKEN == raw["HF_TOKEN"]


def test_the_token_is_not_shown(untouched: str) -> None:
    """Not by what is returned, nor by an error's words or frames."""
    with FaultProxy(untouched) as proxy, aitk_nb.connect(proxy.url) as client:
        state = client.settings.set(hf_token=Secret(TOKEN))
        assert TOKEN not in repr(state) + state._repr_html_() + repr(client.settings)
        proxy.answer("POST", "/api/settings", 500, {}, f'{{"error":"{TOKEN}"}}'.encode())
        with pytest.raises(AitkError) as caught:
            client.settings.set(hf_token=TOKEN)

    shown = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    )
    ours = [line for line in shown.splitlines() if "test_server_settings" not in line]
    assert TOKEN not in str(caught.value)
    assert not [line for line in ours if TOKEN in line and "TOKEN" not in line.split("=")[0]]


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tökén"])
def test_what_is_no_token_is_not_sent(untouched: str, token: str) -> None:
    """It would be stored, and fail much later."""
    with aitk_nb.connect(untouched) as client, pytest.raises(BadInput, match="Hugging Face token"):
        client.settings.set(hf_token=token)
