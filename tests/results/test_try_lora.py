"""`client.try_lora` on the embedded server, whose engine uses the LoRA for real."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

import aitk_nb
from aitk_nb import demo
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import BadInput, NotFound, NotSupported, Rejected
from aitk_nb.pictures.grid import PictureGrid
from tests.cli.command import run
from tests.proxy import FaultProxy

SMALL = {"width": 64, "height": 64, "num_inference_steps": 6}
ENGINE = "inference_engine_gpu0"


class Site:
    """A server that can be restarted, at the same address."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.server = demo.start(data, lives_on=0.2, save_seconds=0)

    def restart(self) -> None:
        """Stop it, which ends its engine too, and start it again."""
        port = urlsplit(self.server.url).port or 0
        self.server.stop()
        self.server = demo.start(self.data, port=port, lives_on=0.2, save_seconds=0)

    def left(self) -> list[Path]:
        """Return what engines have made and nobody has deleted."""
        outputs = self.data / "output" / ENGINE / "outputs"
        return [path for path in outputs.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of these tests' own."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.server.stop()


@pytest.fixture
def client(site: Site) -> Iterator[AIToolkitClient]:
    """A client of it; in the end no engine is left, and no picture on the server."""
    with aitk_nb.connect(site.server.url) as client:
        yield client
        assert client.inference.status() == ()
        assert site.left() == []


@pytest.fixture(scope="module")
def job(site: Site, photos: Path) -> Iterator[aitk_nb.Job]:
    """A job with three checkpoints."""
    with aitk_nb.connect(site.server.url) as client:
        dataset = client.datasets.upload(photos, "cats")
        params = aitk_nb.TrainingParams(
            name="cat", dataset=dataset.name, steps=30, save_every=10, learning_rate=3e-4, rank=4,
            resolution=(64,), prompts=("a [trigger]", "portrait"), trigger_word="cat",
            sample_every=100, extra="sample: {width: 64, height: 64, sample_steps: 6}",
        )  # fmt: skip
        job = client.jobs.start(params)
        job.wait(every=0.1)
        yield job


def effect(grid: PictureGrid, column: str) -> float:
    """Return how far the pictures of a column are from those of the base model."""

    def pixels(row: int, column: str) -> np.ndarray:
        tile = grid.tiles[row, grid.columns.index(column)]
        return np.asarray(Image.open(tile.file), float)

    rows = range(len(grid.rows))
    return float(np.mean([abs(pixels(row, column) - pixels(row, "base model")) for row in rows]))


def test_the_strength_and_the_steps_show(
    client: AIToolkitClient, job: aitk_nb.Job, tmp_path: Path
) -> None:
    """In numbers; as the job drew its samples, and each picture only once."""
    grid = client.try_lora(job, folder=tmp_path)

    assert grid.rows == ("a cat", "portrait")
    tried = [
        f"{label} ×{strength}"
        for label in ("step 10", "step 20", "final")
        for strength in ("0.6", "1")
    ]
    assert grid.columns == ("base model", *tried)
    assert 0 < effect(grid, "step 10 ×1") < effect(grid, "step 20 ×1") < effect(grid, "final ×1")
    assert 0 < effect(grid, "final ×0.6") < effect(grid, "final ×1")
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(times) == 14
    row = client.jobs.get(ENGINE).state
    again = client.try_lora(job, folder=tmp_path)
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert (again.tiles, row) == (grid.tiles, client.jobs.get(ENGINE).state)


def test_by_command(site: Site, client: AIToolkitClient, job: aitk_nb.Job, tmp_path: Path) -> None:
    """A job and a local file at one strength, as a page and as a picture."""
    local = Path(job.download(tmp_path, [10], samples=False).path)
    small = ("--strength", "0", "--strength", "1", "--folder", tmp_path, "--seed", "7")
    start = ("loras", "try", job.name, local, "--prompt", "a cat", *small, "--out")
    env = {"AITK_URL": site.server.url}
    made = run(*start, tmp_path / "grid.html", "--json", env=env).json
    assert ["a cat"] == made["rows"]
    labels = [f"cat {step} ×1" for step in ("step 10", "step 20", "final")]
    assert ["base model", *labels, f"{local.stem} ×1"] == made["columns"]
    # The same LoRA, from the job and from the file.
    pictures = [Path(one).read_bytes() for one in made["files"]]
    assert pictures[1] == pictures[4] != pictures[3]
    assert f"{tmp_path / 'grid.png'}\n" == run(*start, tmp_path / "grid.png", env=env).out
    assert "nobody" in run("loras", "try", "nobody", *small, env=env, code=1).err


def test_whatever_breaks_each_picture_arrives_once(
    site: Site, client: AIToolkitClient, job: aitk_nb.Job, tmp_path: Path
) -> None:
    """A line is cut, the UI is restarted, the engine is killed; in the end none is left."""

    def kill() -> None:
        pid = client.jobs.get(ENGINE).state.pid
        assert pid
        os.kill(pid, signal.SIGKILL)

    fetched: list[str] = []
    with FaultProxy(site.server.url) as proxy, aitk_nb.connect(proxy.url, outage=60) as other:
        troubles: list[tuple[int, Callable[[], None]]] = [
            (3, proxy.cut),
            (6, site.restart),
            (9, kill),
        ]

        def trouble() -> None:
            for count, act in troubles:
                while len(list(tmp_path.glob("*.png"))) < count:
                    time.sleep(0.01)
                act()
                fetched.append(act.__name__)

        thread = threading.Thread(target=trouble)
        thread.start()
        grid = other.try_lora(
            [file for file in job.files() if file.name == "cat.safetensors"],
            ["one", "two", "three"],
            strengths=(0, 0.3, 0.6, 1),
            sample={**SMALL, "num_inference_steps": 400},
            folder=tmp_path,
        )
        thread.join(30)

    assert fetched == ["cut", "restart", "kill"]
    assert len(grid.tiles) == 12 == len({tile.file for tile in grid.tiles.values()})
    assert all(tile.picture for tile in grid.tiles.values())
    assert len(list(tmp_path.iterdir())) == 12


def test_a_local_file_is_sent_once(
    client: AIToolkitClient, job: aitk_nb.Job, tmp_path: Path
) -> None:
    """Where it does not tell its architecture, that is asked for."""
    file = job.download(tmp_path).path
    before = {lora.path for lora in client.loras.list()}
    options = {"strengths": (1,), "sample": SMALL, "folder": tmp_path, "arch": "flex1"}
    grid = client.try_lora(file, "x", **options, seeds=(1, 2))  # type: ignore[arg-type]
    assert grid.rows == ("x · seed 1", "x · seed 2")
    sent = [lora for lora in client.loras.list() if lora.path not in before]
    client.try_lora([file], "y", **options)  # type: ignore[arg-type]
    assert [lora for lora in client.loras.list() if lora.path not in before] == sent
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"arch": "qwen25_omni"}, "generates text"),
        ({"arch": "flux_kontext", "model": {"name_or_path": "x"}}, "control_image"),
        ({"control_image": "nowhere.png"}, "no control image nowhere.png"),
        ({"strengths": (float("nan"),)}, "finite"),
        ({"strengths": ()}, "one strength"),
        ({"seeds": (-1,)}, "at least 0"),
    ],
)
def test_bad_input(
    client: AIToolkitClient, job: aitk_nb.Job, tmp_path: Path, given: dict[str, object], why: str
) -> None:
    """One sentence each; no engine stays."""
    with pytest.raises(BadInput, match=why):
        client.try_lora(job, "x", folder=tmp_path, **given)  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="nobody"):
        client.try_lora("nobody.safetensors", "x")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    with pytest.raises(BadInput):
        client.try_lora(tmp_path / "bad.safetensors", "x")


def test_an_interrupt_leaves_what_is_made(
    client: AIToolkitClient, job: aitk_nb.Job, tmp_path: Path
) -> None:
    """The engine is stopped; the next call goes on."""

    def interrupt(done: int, _total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    options = {"strengths": (0, 1), "sample": SMALL, "folder": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        client.try_lora("cat.safetensors", "x", **options, progress=interrupt)  # type: ignore[arg-type]
    assert client.inference.status() == ()
    (first,) = tmp_path.iterdir()
    made = first.stat().st_mtime_ns
    client.try_lora("cat.safetensors", "x", **options)  # type: ignore[arg-type]
    assert len(list(tmp_path.iterdir())) == 2
    assert first.stat().st_mtime_ns == made


def test_an_engine_that_ran_before_stays_and_that_is_said(
    client: AIToolkitClient, job: aitk_nb.Job, tmp_path: Path
) -> None:
    """Below the pictures."""
    client.inference.start()
    grid = client.try_lora(job.files()[0], "x", strengths=(0,), sample=SMALL, folder=tmp_path)
    assert "client.inference.stop()" in grid.html()
    assert client.inference.status()
    client.inference.stop()


def test_behind_a_training_nothing_is_sent_or_started(
    client: AIToolkitClient, job: aitk_nb.Job, tmp_path: Path
) -> None:
    """An engine would only wait there, and block what follows."""
    file = Path(job.download(tmp_path).path).rename(tmp_path / "other.safetensors")
    params = aitk_nb.TrainingParams(
        name="busy", dataset="cats", steps=100_000, rank=4, resolution=(64,)
    )
    busy = client.jobs.start(params)
    before = client.loras.list()
    with pytest.raises(Rejected, match="GPU 0 is used by 'busy'"):
        client.try_lora(file, "x", arch="flex1", folder=tmp_path)
    assert [lora for lora in before if not lora.job] == [
        lora for lora in client.loras.list() if not lora.job
    ]
    busy.stop()


def test_older_servers_say_what_there_is_instead(gradio_server: demo.GradioServer) -> None:
    """The grid of the samples, where there are any."""
    with (
        demo.start(era="2026-08") as server,
        aitk_nb.connect(server.url) as client,
        pytest.raises(NotSupported, match=r"sample_grid\(job\)"),
    ):
        client.try_lora("x.safetensors", "x")
    with (
        aitk_nb.connect(gradio_server.url) as client,
        pytest.raises(NotSupported, match="in another program") as raised,
    ):
        client.try_lora("x.safetensors", "x")
    assert "sample_grid" not in str(raised.value)
