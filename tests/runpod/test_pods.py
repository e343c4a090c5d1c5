"""Pods: listed, planned, created once, waited for, stopped and paid."""

from __future__ import annotations

import json

import httpx
import pytest

import aitk_nb
from aitk_nb.errors import AitkError, BadInput, NotFound, RunPodError, ServerNotReady
from aitk_nb.runpod.pod import API, PodStatus, pod_at, read_pod
from tests.runpod.conftest import KEY, World


def test_from_key_to_connected_client_and_stopped(world: World) -> None:
    """The way of somebody who has a key: plan, create, wait, connect, stop, terminate."""
    plan = world.pods.plan("RTX 4090", hours=2)
    assert ["RTX 4090"] == [offer.name for offer in plan]
    assert "1.38" in repr(plan)
    assert "ostris/aitoolkit:latest" in repr(plan)

    pod = world.pods.create("cat", gpu="RTX 4090", max_hours=3, max_price=1)
    assert (PodStatus.PROVISIONING, 0.69, 3.0) == (pod.status, pod.price, pod.max_hours)
    pod = world.pods.wait_ready(pod, progress=None)
    assert PodStatus.RUNNING is pod.status
    assert 15 <= world.clock.now - pod.created.timestamp() <= 19

    with aitk_nb.connect(world.pods.connection(pod)) as client:
        assert client.check_auth().state.is_in
        assert () == tuple(client.jobs.list())
        assert PodStatus.EXITED is world.pods.stop(pod, client=client).status
    with pytest.raises(AitkError, match="aitk-nb runpod start cat"):
        world.pods.connection("cat")
    world.pods.terminate("cat")
    assert () == world.pods.list()


def test_the_server_takes_our_token_only(world: World) -> None:
    """Neither none nor the template's default gets in, and no two pods share one."""
    pod = world.pods.wait_ready(world.pods.create("a"), progress=None)
    other = world.pods.create("b")
    assert pod.token != other.token
    for headers in ({}, {"Authorization": "Bearer password"}):
        assert 401 == httpx.get(f"{pod.url}/api/jobs", headers=headers).status_code
    with aitk_nb.connect(world.pods.connection(pod)) as client:
        client.jobs.list()


def test_a_booting_pod_answers_502(world: World) -> None:
    """Which is not ready, and no wrong token."""
    pod = world.pods.create("cat")
    assert 502 == httpx.get(f"{pod.url}/api/auth").status_code
    with pytest.raises(ServerNotReady):
        aitk_nb.connect(world.pods.connection(pod))


def test_what_creates_twice_pays_once(world: World) -> None:
    """A second call of the same name returns the same pod, also after a kill of the first."""
    first = world.pods.create("cat")
    assert first.id == world.pods.create("cat").id
    again = aitk_nb.RunPod(world.server.url, key=KEY)
    assert first.id == again.create("cat").id
    again.close()
    assert ["cat"] == world.running()


def test_a_500_after_creating_makes_one_pod(world: World) -> None:
    """It shows 10 s later, and is found instead of made again."""
    world.cloud.faults.create_500 = 1
    pod = world.pods.create("cat")
    assert "cat" == pod.name
    assert ["cat"] == world.running()
    assert 1 == len([one for one in world.heard if one.method == "POST"])


def test_a_pod_that_never_shows_is_tried_again_after_a_minute(world: World) -> None:
    """Not earlier: two posts a minute apart."""
    world.cloud.faults.create_500 = 1
    world.cloud.shows_after = 1e9
    began = world.clock.now
    assert "cat" == world.pods.create("cat").name
    assert 60 <= world.clock.now - began <= 66


def test_no_credit_ends_everything(world: World) -> None:
    """By one sentence, after one request."""
    world.cloud.faults.no_credit = True
    with pytest.raises(RunPodError, match="no credit left") as caught:
        world.pods.create("cat")
    assert 402 == caught.value.status
    assert 1 == len([one for one in world.heard if one.method == "POST"])


def test_no_gpu_offers_the_next_choice(world: World) -> None:
    """With its price, and RunPod's own words; nothing is made."""
    world.cloud.faults.no_gpu = {"NVIDIA GeForce RTX 4090"}
    with pytest.raises(RunPodError, match="no instances") as caught:
        world.pods.create("cat", gpu="RTX 4090")
    assert "The next choice is A40 at $0.40/h" in str(caught.value)
    assert [] == world.running()


def test_any_gpu_takes_what_is_free(world: World) -> None:
    """The cheapest one within the price."""
    world.cloud.faults.no_gpu = {"NVIDIA A40"}
    pod = world.pods.create("cat", max_price=0.8)
    assert "NVIDIA GeForce RTX 4090" == pod.gpu
    with pytest.raises(BadInput, match="below the price of"):
        world.pods.create("dog", gpu="RTX 5090", max_price=0.8)
    with pytest.raises(BadInput, match="it has: A40, RTX 4090, RTX 5090"):
        world.pods.create("dog", gpu="RTX 9")


def test_a_rate_limit_is_waited_for(world: World) -> None:
    """For as long as it says."""
    world.cloud.faults.rate_limited, world.cloud.faults.retry_after = 2, 7
    began = world.clock.now
    assert () == world.pods.list()
    assert 14 == world.clock.now - began


def test_a_pod_that_never_gets_ready(world: World) -> None:
    """Its log, its price and the call that stops it are in the error; it is not forgotten."""
    world.cloud.faults.never_ready = True
    pod = world.pods.create("cat")
    with pytest.raises(ServerNotReady) as caught:
        world.pods.wait_ready(pod, timeout=60, progress=None)
    assert "the server ended with code 1" in str(caught.value)
    assert "costs $0.40/h until you stop it: aitk-nb runpod stop cat" in str(caught.value)
    world.pods.stop(pod, anyway=True)
    assert [] == world.running()


def test_a_stopped_pod_may_find_no_gpu(world: World) -> None:
    """And says so; started again, it is a new server."""
    pod = world.pods.create("cat", gpu="RTX 4090")
    world.pods.stop(pod, anyway=True)
    world.cloud.faults.no_gpu = {"NVIDIA GeForce RTX 4090"}
    with pytest.raises(RunPodError, match="may find no GPU free"):
        world.pods.start(pod)
    world.cloud.faults.no_gpu = set()
    assert world.pods.start("cat").status.is_on
    assert world.pods.start("cat").status.is_on


def test_stop_asks_whether_anything_is_lost(world: World) -> None:
    """Without a client it needs a word, and with a red answer too."""
    pod = world.pods.wait_ready(world.pods.create("cat"), progress=None)
    with pytest.raises(BadInput, match="anyway=True"):
        world.pods.stop(pod)
    with aitk_nb.connect(world.pods.connection(pod)) as client:
        client.datasets.upload(aitk_nb.example_photos(), "officers")
        job = client.jobs.start(aitk_nb.TrainingParams(name="j", dataset="officers", steps=20))
        with pytest.raises(BadInput, match="Not safe to stop"):
            world.pods.stop(pod, client=client)
        assert ["cat"] == world.running()
        job.stop()


def test_terminate_takes_the_exact_name(world: World) -> None:
    """An id is not enough, and another name finds nothing."""
    pod = world.pods.create("cat")
    with pytest.raises(BadInput, match="exact name: 'cat'"):
        world.pods.terminate(pod.id)
    with pytest.raises(NotFound, match="It has: cat"):
        world.pods.terminate("Cat")
    assert ["cat"] == world.running()


def test_limits_are_needed_where_nobody_watches() -> None:
    """On RunPod itself, before anything is sent."""
    with aitk_nb.RunPod(API, key=KEY) as pods:
        with pytest.raises(BadInput, match="max_hours and max_price"):
            pods.create("cat", max_hours=3)
        with pytest.raises(BadInput, match="max_price must be a number above 0"):
            pods.create("cat", max_hours=3, max_price=float("nan"))


def test_templates_are_shown_and_never_chosen(world: World) -> None:
    """Of all lists, with name, id and image."""
    found = world.pods.templates()
    assert [("official", "0fqzfjy6f3"), ("community", "k4t0imitat")] == [
        (one.source, one.id) for one in found
    ]
    assert "ostris/aitoolkit:latest" in str(found[0])
    with pytest.raises(RunPodError, match="template not found"):
        world.pods.plan(template="AI Toolkit")


def test_the_log_ends_where_it_is_silent(world: World) -> None:
    """Although the stream stays open."""
    world.pods.wait_ready(world.pods.create("cat"), progress=None)
    lines = world.pods.logs("cat").splitlines()
    assert ["create container", "pull ostris/aitoolkit:latest", "start container"] == lines
    assert "create container" == world.pods.logs("cat", tail=1)


# -- cost ------------------------------------------------------------------------------------------


def test_the_cost_is_that_of_the_ledger(world: World) -> None:
    """To the cent, over a price change, a stop and a start; a stopped disk costs too."""
    pod = world.pods.create("cat", gpu="RTX 4090")
    steps = [
        lambda: world.cloud.set_price("NVIDIA GeForce RTX 4090", "SECURE", 1.23),
        lambda: world.pods.stop(pod, anyway=True),
        lambda: world.pods.start(pod),
        lambda: world.pods.terminate("cat"),
        lambda: None,
    ]
    before = 0.0
    for hours, step in zip((1.5, 2.25, 30, 0.4, 5), steps, strict=True):
        world.clock.sleep(hours * 3600)
        cost = world.pods.cost(pod)
        assert not cost.estimated
        assert round(world.cloud.spent(pod.id), 2) == round(cost.amount, 2)
        assert cost.amount > before or step is steps[-1]
        before = cost.amount
        step()
    assert 0.69 * 1.5 + 1.23 * 2.65 == pytest.approx(cost.gpu)
    assert 0.2 < cost.disk


def test_until_it_is_billed_the_cost_is_an_estimate(world: World) -> None:
    """And says so, with the time."""
    world.cloud.bills_after = 3600
    cost = world.pods.cost(world.pods.create("cat"))
    assert cost.estimated
    assert "estimated, without the disk; read at" in str(cost)


# -- secrets ---------------------------------------------------------------------------------------


def test_no_key_and_no_token_is_in_any_text(world: World) -> None:
    """Of pods, lists, errors and documents; neither is in an address."""
    pod = world.pods.create("cat")
    body = world.heard[-1].answer
    token = body["env"]["AI_TOOLKIT_AUTH"]
    world.cloud.faults.no_gpu = {
        gpu["id"] for gpu in world.pods._wire.get("/v2/catalog/gpus", "")["gpus"]
    }
    with pytest.raises(RunPodError) as caught:
        world.pods.create("dog")
    texts = [
        *map(repr, (pod, world.pods.list(), world.pods, caught.value, world.pods.plan())),
        json.dumps(pod.as_dict()),
        world.pods.list()._repr_html_(),
        pod.url,
    ]
    assert pod.token == aitk_nb.Secret(token)
    for text in texts:
        assert KEY not in text
        assert token not in text


def test_a_key_goes_to_runpod_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An imitation gets none of the environment."""
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)
    assert aitk_nb.Secret(KEY) == aitk_nb.RunPod().key
    assert aitk_nb.Secret(KEY) != aitk_nb.RunPod("http://127.0.0.1:1").key
    monkeypatch.delenv("RUNPOD_API_KEY")
    with pytest.raises(BadInput, match="Set RUNPOD_API_KEY instead"):
        aitk_nb.RunPod()


def test_a_wrong_key_is_told(world: World) -> None:
    """With where to make another one."""
    with pytest.raises(RunPodError, match="Settings, API Keys") as caught:
        raise RunPodError("list the pods", "missing bearer token", 401)
    assert 401 == caught.value.status


# -- addresses -------------------------------------------------------------------------------------


def test_a_pod_is_known_by_its_address(world: World) -> None:
    """On RunPod and in the imitation."""
    pod = world.pods.create("cat")
    assert (world.server.url, pod.id) == pod_at(pod.url)
    body = world.heard[-1].answer
    real = read_pod(body, API)
    assert f"https://{pod.id}-8675.proxy.runpod.net" == real.url
    assert (API, pod.id) == pod_at(real.url)
    assert pod_at("https://example.com") is None
