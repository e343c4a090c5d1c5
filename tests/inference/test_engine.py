"""`client.inference` on the embedded server, whose engine is a process of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import aitk_nb
from aitk_nb import demo
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import BadInput, NotSupported, Rejected
from aitk_nb.inference.api import Inference
from aitk_nb.models.inference import Frame, GeneratedFile
from aitk_nb.models.server import Ability
from tests.proxy import FaultProxy

MODEL = {"arch": "flex1"}
SAMPLE = {"width": 64, "height": 64, "num_inference_steps": 6}
LONG = {**SAMPLE, "num_inference_steps": 100_000}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """A server of these tests' own."""
    with demo.start(tmp_path_factory.mktemp("engine"), lives_on=0.3, save_seconds=0) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: demo.DemoServer) -> Iterator[AIToolkitClient]:
    """A client of it."""
    with aitk_nb.connect(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def loras(client: AIToolkitClient, photos: Path) -> list[str]:
    """The paths of two LoRAs on the server: one of a few steps, and one of many."""
    dataset = client.datasets.upload(photos, "cats")
    for name, steps in (("short", 5), ("long", 80)):
        params = aitk_nb.TrainingParams(
            name=name, dataset=dataset.name, steps=steps, learning_rate=1e-3, rank=4,
            resolution=(64,),
        )  # fmt: skip
        client.jobs.start(params).wait(every=0.1)
    paths = {lora.job: lora.path for lora in client.loras.list()}
    return [paths["short"], paths["long"]]


@pytest.fixture
def inference(client: AIToolkitClient, loras: list[str]) -> Iterator[Inference]:
    """A ready engine, and none afterwards."""
    assert loras
    client.inference.start()
    yield client.inference
    client.inference.stop()
    assert client.inference.status() == ()


def picture(inference: Inference, target: Path, **options: object) -> np.ndarray:
    """Return a generated picture, which is removed from the server."""
    (file,) = inference.generate("portrait", model=MODEL, seed=3, sample=SAMPLE, **options)
    image = np.asarray(Image.open(inference.fetch(file, target / "x.png")), float)
    inference.delete([file])
    return image


def until(met: Callable[[], object]) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + 60
    while not met():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_the_strength_and_the_steps_show(
    inference: Inference, loras: list[str], tmp_path: Path
) -> None:
    """Strength 0 is the base model; the effect grows with strength, and with training."""
    short, long = loras
    base = picture(inference, tmp_path)

    def effect(path: str, strength: float) -> float:
        return float(abs(picture(inference, tmp_path, loras={path: strength}) - base).mean())

    assert effect(long, 0) == 0
    assert 0 < effect(long, 0.5) < effect(long, 1)
    assert 0 < effect(short, 1) < effect(long, 1)


def test_frames_and_files(inference: Inference, server: demo.DemoServer) -> None:
    """In the engine's order; the file is public, and gone after it was deleted."""
    frames: list[Frame] = []
    # So large that each latent is read before the next one takes its place.
    sample = {**SAMPLE, "width": 1024, "height": 1024}
    (file,) = inference.generate(
        "portrait", model=MODEL, sample=sample, seed=7, on_frame=frames.append, latents=True
    )

    kinds = [frame.kind for frame in frames if frame.kind != "status"]
    assert kinds == ["start", *["progress", "latent"] * 6, "result", "end"]
    latent = next(frame for frame in frames if frame.kind == "latent")
    assert len(latent.payload) == 2 * np.prod(latent.header["shape"])
    assert (file.kind, file.seed) == ("image", 7)
    public = httpx.get(f"{server.url}/api/files/{file.path.replace('/', '%2F')}")
    assert len(public.content) == file.size
    inference.delete([file])
    assert not Path(file.path).parent.exists()
    with pytest.raises(Rejected, match="/etc/hostname"):
        inference.delete([GeneratedFile("/etc/hostname", "image", 1, 1)])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"sample": {"cfg": 1}}, "unexpected keyword argument 'cfg'"),
        ({"model": {"arch": "nobody"}}, "name_or_path must be specified"),
        ({"model": {"arch": "flux_kontext", "name_or_path": "x"}}, "requires a control image"),
        ({"loras": ["/nowhere.safetensors"]}, "FileNotFoundError"),
    ],
)
def test_what_the_engine_refuses(
    inference: Inference, options: dict[str, object], why: str
) -> None:
    """Its own words are the reason."""
    with pytest.raises(Rejected, match=why):
        inference.generate("x", **{"model": MODEL, **options})  # type: ignore[arg-type]


def test_bad_input(inference: Inference, tmp_path: Path) -> None:
    """Nothing is sent that would end the engine."""
    for arch in ({}, {"arch": 5}, {"arch": ""}):
        with pytest.raises(BadInput, match="needs 'arch'"):
            inference.generate("x", model=arch)
    with pytest.raises(BadInput, match="can't be read"):
        inference.generate("x", model=MODEL, control_image=tmp_path / "none.png")


def test_a_control_image(inference: Inference, photos: Path) -> None:
    """It is sent first, under a name that the server keeps."""
    model = {"arch": "flux_kontext", "name_or_path": "x"}
    image = sorted(photos.glob("*.jpg"))[0]
    assert inference.generate("x", model=model, sample=SAMPLE, control_image=image)


def test_a_cut_line_loses_nothing(server: demo.DemoServer, inference: Inference) -> None:
    """Each answer is cut after some bytes, and every message comes once."""
    with FaultProxy(server.url) as proxy, aitk_nb.connect(proxy.url, outage=20) as other:
        steps: list[int] = []

        def note(frame: Frame) -> None:
            if frame.kind == "progress":
                steps.append(frame.header["step"])
                if len(steps) in (5, 40):
                    proxy.cut()

        sample = {**SAMPLE, "num_inference_steps": 60}
        files = other.inference.generate("x", model=MODEL, sample=sample, on_frame=note)
        asked = [exchange.path for exchange in proxy.log]

    assert steps == list(range(1, 61))
    assert len(files) == 1
    assert sum("/generate" in path for path in asked) == 1


def test_an_interrupt_cancels(inference: Inference, server: demo.DemoServer) -> None:
    """The engine is free again."""

    def interrupt(frame: Frame) -> None:
        if frame.kind == "progress":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inference.generate("x", model=MODEL, sample=LONG, on_frame=interrupt)

    health = f"{server.url}/api/inference/health"
    until(lambda: not httpx.get(health, timeout=30).json()["busy"])


def test_an_engine_holds_its_queue(
    client: AIToolkitClient, inference: Inference, loras: list[str]
) -> None:
    """A training there waits, says for whom, and starts once the engine is stopped."""
    params = aitk_nb.TrainingParams(
        name="behind", dataset="cats", steps=3, rank=4, resolution=(64,)
    )
    job = client.jobs.start(params)
    assert "inference engine" in str(job.queue_position())
    (engine,) = inference.status()
    assert "wait until client.inference.stop()" in repr(engine)

    inference.stop()

    assert job.wait(every=0.1).step == 3
    assert loras


def test_no_engine_is_started_behind_a_training(client: AIToolkitClient, loras: list[str]) -> None:
    """It would wait without a word."""
    assert loras
    params = aitk_nb.TrainingParams(
        name="busy", dataset="cats", steps=100_000, rank=4, resolution=(64,)
    )
    job = client.jobs.start(params)
    with pytest.raises(Rejected, match="GPU 0 is used by 'busy'"):
        client.inference.start()
    assert client.inference.status() == ()
    job.stop()
    with pytest.raises(Rejected, match=r"client\.inference\.start"):
        client.inference.generate("x", model=MODEL)


def test_an_engine_that_is_killed(client: AIToolkitClient, inference: Inference) -> None:
    """Whoever waits is told; another one is started in its place."""
    (engine,) = inference.status()
    row = client.jobs.get(engine.name).state

    def kill(frame: Frame) -> None:
        if frame.kind == "progress" and frame.header["step"] == 2:
            assert row.pid is not None
            os.kill(row.pid, signal.SIGKILL)
            until(lambda: not inference.status())
            threading.Thread(target=inference.start).start()

    with pytest.raises(Rejected, match="Send it again with the same seed"):
        inference.generate("x", model=MODEL, sample=LONG, on_frame=kill)


def test_the_proxy_without_an_engine(client: AIToolkitClient, server: demo.DemoServer) -> None:
    """Three forms of errors, as the real one has them."""
    until(lambda: not client.inference.status())
    time_to_forget = httpx.get(f"{server.url}/api/inference/health", timeout=30)
    if time_to_forget.status_code == 502:  # the engine is remembered for two seconds
        assert time_to_forget.json() == {"error": "engine unreachable: fetch failed"}
    until(lambda: httpx.get(f"{server.url}/api/inference/health").status_code == 503)
    answer = httpx.get(f"{server.url}/api/inference/queue").json()
    assert answer == {"error": "no inference engine is running", "engine": None}
    client.inference.start()
    until(lambda: httpx.get(f"{server.url}/api/inference/health").status_code == 200)
    post = f"{server.url}/api/inference/generate"
    assert httpx.post(post, json={}).json() == {"detail": "model.arch is required"}
    assert httpx.post(post, content=b"x").text == "Internal Server Error"
    waited = {"model": MODEL, "sample": SAMPLE, "wait": True}
    assert httpx.post(post, json=waited, timeout=30).json()["status"] == "done"
    failed = httpx.post(post, json={**waited, "sample": {"cfg": 1}}, timeout=30)
    assert (failed.status_code, failed.json()["status"]) == (500, "error")
    stream = httpx.get(f"{server.url}/api/inference/stream/nobody")
    assert (stream.status_code, stream.json()) == (404, {"detail": "unknown request"})
    client.inference.stop()


@pytest.mark.parametrize("era", ["2025-08", "2026-08"])
def test_an_older_server(era: demo.EraName) -> None:
    """It has no engine, and the error says what to do."""
    with demo.start(era=era) as server, aitk_nb.connect(server.url) as client:
        assert not client.can(Ability.INFERENCE)
        with pytest.raises(NotSupported, match=r"Update AI Toolkit to 0\.13"):
            client.inference.status()


def test_gradio_has_none(gradio_server: demo.GradioServer) -> None:
    """Nor has the older app."""
    with (
        aitk_nb.connect(gradio_server.url) as client,
        pytest.raises(NotSupported, match="download the LoRA"),
    ):
        client.inference.start()
