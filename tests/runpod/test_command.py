"""`aitk-nb runpod`: the way of a pod, command by command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from tests.cli.command import Ran, run


@pytest.fixture
def cloud() -> Iterator[demo.RunPodServer]:
    """An imitation whose pods boot at once."""
    with demo.RunPodServer(boot=0.0, settle=0.0) as server:
        yield server


def ask(cloud: demo.RunPodServer, *words: str, code: int = 0) -> Ran:
    """Run a command for it."""
    return run("runpod", *words, env={"AITK_RUNPOD": cloud.url}, code=code)


def test_from_a_plan_to_a_bill(cloud: demo.RunPodServer) -> None:
    """Created once, waited for, stopped after asking its server, and terminated."""
    offers = ask(cloud, "plan", "--gpu", "RTX 4090", "--hours", "2", "--json").json["offers"]
    assert [("RTX 4090", 0.69)] == [(one["gpu"], one["price"]) for one in offers]
    created = ask(cloud, "create", "cat", "--gpu", "RTX 4090", "--json")
    assert "costs $0.69/h until: aitk-nb runpod stop cat" in created.err
    assert created.json["id"] == ask(cloud, "create", "cat", "--json").json["id"]
    assert "RUNNING" == ask(cloud, "wait", "cat", "--json").json["status"]
    assert "cat" in ask(cloud, "list").out
    assert "start container" in ask(cloud, "logs", "cat").out

    token = cloud.cloud.pods[created.json["id"]].env["AI_TOOLKIT_AUTH"]
    env = {"AITK_URL": created.json["url"], "AITK_TOKEN": token}
    run("dataset", "upload", str(aitk_nb.example_photos()), "--name", "cats", env=env)
    assert [] == [one["name"] for one in run("jobs", "--json", env=env).json]
    assert "EXITED" == ask(cloud, "stop", "cat", "--json").json["status"]
    assert "EXITED" == ask(cloud, "stop", "cat", "--json").json["status"]
    assert ask(cloud, "start", "cat", "--json").json["price"] == 0.69
    assert not ask(cloud, "cost", "cat", "--json").json["estimated"]
    assert "exact name" in ask(cloud, "terminate", created.json["id"], code=2).err
    ask(cloud, "terminate", "cat")
    assert [] == ask(cloud, "list", "--json").json
    assert token not in created.out + created.err


def test_a_pod_that_has_what_is_nowhere_else(cloud: demo.RunPodServer, photos: Path) -> None:
    """It is stopped only by a word."""
    made = ask(cloud, "create", "cat", "--json").json
    pod = cloud.cloud.pods[made["id"]]
    env = {"AITK_URL": made["url"], "AITK_TOKEN": pod.env["AI_TOOLKIT_AUTH"]}
    ask(cloud, "wait", "cat")
    run("dataset", "upload", photos, "--name", "cats", env=env)
    caption = next((pod.folder / "datasets" / "cats").glob("*.txt"))
    caption.write_text("written on the pod", encoding="utf-8")
    assert "Not safe to stop" in ask(cloud, "stop", "cat", code=2).err
    assert "RUNNING" == ask(cloud, "list", "--json").json[0]["status"]
    assert "EXITED" == ask(cloud, "stop", "cat", "--anyway", "--json").json["status"]


def test_what_is_not_there(cloud: demo.RunPodServer) -> None:
    """A pod, a GPU, an address and a limit."""
    assert "no pod named" in ask(cloud, "cost", "nobody", code=1).err
    assert "RTX 9" in ask(cloud, "create", "cat", "--gpu", "RTX 9", code=2).err
    assert "below the price" in ask(cloud, "create", "cat", "--max-price", "0.01", code=2).err
    run("runpod", "list", "--api", "http://127.0.0.1:1", code=3)
