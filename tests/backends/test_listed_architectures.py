"""What a server lists becomes the presets, and what neither lists is a remark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.optional import architectures
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.backends.webui.model_archs import entries
from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import ConnectionFailed, InvalidParams
from aitk_nb.training import presets
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from tests.backends.test_model_archs import module
from tests.loops import for_each


@pytest.fixture(autouse=True)
def own_presets() -> Iterator[None]:
    """Nothing that was listed here is used by other tests."""
    yield
    presets.use({})


def web_ui(answer: Callable[[], httpx.Response]) -> WebUI:
    """Return a web UI that answers this to everything."""

    class Answers:
        url = "http://127.0.0.1:1"
        connection = Connection(url)

        def raw(self, _method: str, _path: str) -> httpx.Response:
            return answer()

    return WebUI(cast(Http, Answers()))


def test_the_embedded_server_lists_what_we_know() -> None:
    """All of it, by way of four modules and JavaScript."""
    with demo.start(token="secret") as server:
        answer = httpx.get(
            f"{server.url}/api/model_archs", headers={"authorization": "Bearer secret"}
        )
        with aitk_nb.connect(server.url, token="secret") as client:
            listed = client.architectures()
        with aitk_nb.connect(server.url, token="wrong") as client:
            assert () == client.architectures()

    assert "no-store" == answer.headers["cache-control"]
    assert 4 == len(answer.json()["modules"])
    assert "Syntax Error" in answer.json()["errors"][0]["error"]
    assert presets.packaged().keys() == set(listed)
    found = {
        arch: entry
        for one in answer.json()["modules"]
        for arch, entry in entries(one["code"]).items()
    }
    assert ["qwen25_omni", "yue2"] == sorted(arch for arch in found if found[arch]["unread"])
    with presets.using(found):
        for arch, ours in presets.packaged().items():
            theirs = presets.load()[arch]
            assert (ours.label, ours.defaults, ours.needs, ours.controls, ours.offloads) == (
                theirs.label,
                theirs.defaults,
                theirs.needs,
                theirs.controls,
                theirs.offloads,
            )


def params(**fields: Any) -> TrainingParams:
    """Return parameters of a job."""
    return TrainingParams(**{"name": "cat", "dataset": "cats", **fields})


def test_a_servers_architecture_is_as_good_as_ours() -> None:
    """Its base model, its defaults, its sections, and no remark."""
    code = """const AI_TOOLKIT_UI_MODELS = [{
        name: "brand_new:turbo", label: "Brand <new>", group: "image",
        defaults: {
            "config.process[0].model.name_or_path": ["us/brand-new", ""],
            "config.process[0].train.lr": [0.0003, 0.0001],
            "config.process[0].odd": [1, 2],
            "meta.name": [1, 2]},
        additionalSections: ["datasets.control_path", "model.layer_offloading"],
    }];"""
    with presets.using(entries(code)):
        one = params(arch="brand_new:turbo", control_datasets=["edges"])
        process = draft(one).config["config"]["process"][0]

        assert 3e-4 == one.learning_rate
        assert "us/brand-new" == value_at(process, "model.name_or_path")
        assert 1 == value_at(process, "model.layer_offloading_transformer_percent")
        assert "edges" == value_at(process, "datasets.0.control_path")
        assert "arch" not in {name for name in one.advice if "list" in one.advice[name]}
        assert "the server does not list 'iris3b'" in params(arch="iris3b").advice["arch"]
    with pytest.raises(InvalidParams, match="requires base_model"):
        params(arch="brand_new:turbo")


def test_a_servers_own_words_are_no_refusal() -> None:
    """What our fields do not know is said, and not used."""
    code = module('defaults: {"config.process[0].model.quantize": [true], '
                  '"config.process[0].model.qtype": ["newq"], '
                  '"config.process[0].train.timestep_type": ["other"]}')  # fmt: skip
    with presets.using(entries(code)):
        one = params(arch="a")
        assert ("qfloat8", "sigmoid") == (one.quantize, one.timestep_type)
        assert "'newq', is unknown here" in one.advice["quantize"]
        with pytest.raises(InvalidParams) as caught:
            params(arch="a", timestep_type="other")
        assert ["timestep_type"] == list(caught.value.problems)


@for_each("arch", ["qwen_image_3", "ming_imag", "minimax_h3_vsb", "flx1", "pony"])
def test_with_a_base_model_no_architecture_is_refused(arch: str) -> None:
    """A remark says what is known, and what was perhaps meant."""
    with presets.using({}):
        remark = params(arch=arch, base_model="me/mine").advice["arch"]
        assert f"AI Toolkit 0.13.22 does not list {arch!r}" in remark
        assert ("did you mean" in remark) == (arch != "pony")
        with pytest.raises(InvalidParams, match=f"unknown architecture '{arch}'"):
            params(arch=arch)


def test_newer_presets_say_what_they_require() -> None:
    """Unless the server lists them."""
    with presets.using({}):
        remark = "'iris3b' requires AI Toolkit 0.13.22 or newer"
        assert remark in params(arch="iris3b").advice["arch"]
        assert "arch" not in params(arch="zimage").advice
    with presets.using({"iris3b": {"unread": [""]}}):
        assert "arch" not in params(arch="iris3b").advice


ANSWERS = {
    "html": httpx.Response(404, html="<html>404</html>"),
    "refused": httpx.Response(401, json={"error": "Unauthorized"}),
    "broken": httpx.Response(200, text='{"modules": [{"code": '),
    "deep": httpx.Response(200, text="[" * 100_000),
    "list": httpx.Response(200, json=[1]),
    "no code": httpx.Response(200, json={"modules": [{"id": "x"}, 3]}),
    "null": httpx.Response(200, json=None),
    "error": httpx.Response(500, json={"error": "no"}),
}


@for_each("kind", list(ANSWERS))
def test_a_server_without_a_list_has_none(kind: str) -> None:
    """Whatever it answers."""
    assert {} == architectures(web_ui(lambda: ANSWERS[kind]))


def test_a_server_that_does_not_answer_has_none() -> None:
    """Neither it nor the caller waits for it."""

    def nothing() -> httpx.Response:
        raise ConnectionFailed("http://127.0.0.1:1", "nobody is there")

    assert {} == architectures(web_ui(nothing))


def test_two_servers_are_not_mixed_up() -> None:
    """What a client does is done with the presets of its own server."""
    code = module('defaults: {"config.process[0].model.name_or_path": ["one/a", ""]}')
    backend = web_ui(lambda: httpx.Response(200, json={"modules": [{"code": code}]}))
    client = aitk_nb.AIToolkitClient(backend)
    assert ("a",) == client.architectures()
    one = params(arch="a")
    presets.use({})
    assert "requires AI Toolkit" not in one.advice["arch"]

    assert "a" not in presets.load()
    with presets.using(architectures(backend)):
        process = draft(one).config["config"]["process"][0]
    assert "one/a" == process["model"]["name_or_path"]
