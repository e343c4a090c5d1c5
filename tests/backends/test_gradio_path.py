"""The whole way on a Gradio app, and its login.

`tests/gradio` runs the same on other generations of Gradio.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import yaml
from PIL import Image

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.gradio.login import login_of
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.errors import NotSupported, Unauthorized
from aitk_nb.models.job import JobStatus
from aitk_nb.models.server import Ability, Flavour
from tests import gradio_servers
from tests.proxy import FaultProxy

IMAGES = 50
FLUSH = 5 * 4120
"""Bytes that the trainer's logger adds to its write-ahead log in one flush: five frames."""


@pytest.fixture(scope="session")
def fifty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty small pictures with captions and awkward names."""
    folder = tmp_path_factory.mktemp("fifty")
    for number in range(IMAGES):
        stem = f"été photo ({number}) #% 猫🐈"
        color = (number * 5, 255 - number * 5, 128)
        Image.new("RGB", (96, 64), color).save(folder / f"{stem}.png")
        (folder / f"{stem}.txt").write_text(f"[trigger] number {number}, 猫", encoding="utf-8")
    return folder


OWN = aitk_nb.GradioOptions(results="server")
"""Jobs go to the server's own folder."""


@contextmanager
def connected(url: str, **given: object) -> Iterator[aitk_nb.AIToolkitClient]:
    """Yield a client that is closed at the end."""
    with aitk_nb.connect(url, **given) as client:  # type: ignore[arg-type]
        yield client


def params(name: str, dataset: str, steps: int, **fields: object) -> aitk_nb.TrainingParams:
    """Return parameters that train fast."""
    known = {"learning_rate": 1e-3, "rank": 4, "trigger_word": "grace", **fields}
    return aitk_nb.TrainingParams(name=name, dataset=dataset, steps=steps, **known)


def logged(folder: str) -> dict[str, list[tuple[int, float, float]]]:
    """Return what the server's own database holds, by metric."""
    with closing(sqlite3.connect(Path(folder, "loss_log.db"))) as db:
        rows = db.execute(
            "SELECT key, metrics.step, wall_time, value_real FROM metrics"
            " JOIN steps ON steps.step = metrics.step ORDER BY metrics.step"
        ).fetchall()
    table: dict[str, list[tuple[int, float, float]]] = {}
    for key, *row in rows:
        table.setdefault(key, []).append((row[0], row[1], row[2]))
    return table


@pytest.mark.slow
def test_fifty_images_and_many_steps(
    major: str, many_steps: int, fifty: Path, tmp_path: Path
) -> None:
    """Uploaded, trained, followed while it trains, and downloaded; no byte more than need be.

    The trainer's log is begun anew every 195 flushes, of which there is one each step here.
    """
    with (
        gradio_servers.server(major, tmp_path / "data", flush_seconds=0) as server,
        FaultProxy(server.url) as proxy,
        connected(proxy.url) as client,
    ):
        info = client.datasets.upload(fifty, "fifty")
        job = client.jobs.start(params("Fünfzig 猫", "fifty", many_steps, save_every=500))
        history, midway = job.losses(), 0
        for state in job.watch(every=0.1):
            history = job.losses(history)
            if state.status is JobStatus.RUNNING and 0 < len(history) < many_steps - 1:
                midway += 1
        history = job.losses(history)
        files = job.files()
        report = job.download(tmp_path / "out")
        folder = str(job.state.id)

        assert (IMAGES, IMAGES) == (len(info.images), len(info.captions))
        (stored,) = (server.data / "datasets").iterdir()
        originals = sorted(path.read_bytes() for path in fifty.iterdir())
        copies = [path for path in stored.iterdir() if path.name != "metadata.jsonl"]
        assert originals == sorted(path.read_bytes() for path in copies)
        assert {"0001.png", "0001.txt", "0050.png", "0050.txt"} <= {path.name for path in copies}

        assert (JobStatus.COMPLETED, many_steps) == (job.state.status, job.state.step)
        assert midway > 1
        table = logged(folder)
        assert {"loss/loss", "learning_rate"} == set(table) == set(history.keys)
        for key, rows in table.items():
            steps, values = history.columns(key)
            assert [row[0] for row in rows] == steps.tolist() == list(range(1, many_steps))
            assert [row[2] for row in rows] == values.tolist()
            assert [row[1] for row in rows] == history.wall_times(key).tolist()

        read = sum(e.bytes_out for e in proxy.log if "loss_log.db" in e.path)
        assert read <= 2 * (many_steps - 1) * FLUSH

        assert {"Fünfzig 猫.safetensors", "Fünfzig 猫_000000500.safetensors"} <= {
            file.name for file in files
        }
        lora = next(Path(folder).glob("*[a-z].safetensors"))
        assert lora.read_bytes() == Path(report.path).read_bytes()
        assert aitk_nb.inspect_lora(report.path).ok


def test_settings_take_effect(any_server: demo.GradioServer, tmp_path: Path) -> None:
    """What the form has no field for goes by the advanced YAML, and nothing is pushed anywhere."""
    with connected(any_server.url) as client:
        client.datasets.upload(aitk_nb.example_photos(), "set")
        wanted = params(
            "settings",
            "set",
            12,
            base_model="dev",
            alpha=2,
            rank=2,
            learning_rate=2e-3,  # both beyond what the form takes
            save_every=5,
            prompts=("one", "two", "three", "four"),
            extra="train: {optimizer_params: {weight_decay: 0.5}}",
        )
        job = client.jobs.start(wanted)
        *_, last = job.watch(every=0.1)
        text = (Path(str(last.id)) / "config.yaml").read_text("utf-8")

    process = yaml.safe_load(text)["config"]["process"][0]
    assert (12, 0.002, 2, 2) == (
        process["train"]["steps"],
        process["train"]["lr"],
        process["network"]["linear"],
        process["network"]["linear_alpha"],
    )
    assert 0.5 == process["train"]["optimizer_params"]["weight_decay"]
    assert ["one", "two", "three", "four"] == process["sample"]["prompts"]
    assert "black-forest-labs/FLUX.1-dev" == process["model"]["name_or_path"]
    assert (5, False) == (process["save"]["save_every"], process["save"]["push_to_hub"])
    assert "grace" == process["trigger_word"]
    assert process["datasets"][0]["folder_path"].startswith("datasets/")


def test_failures_are_told_in_the_servers_words(any_server: demo.GradioServer) -> None:
    """A training that cannot begin ends as an error, and the next one runs."""
    with connected(any_server.url) as client:
        client.datasets.upload(aitk_nb.example_photos(), "failing")
        bad = params("fails", "failing", 5, extra="train: {optimizer: nosuchopt}")
        job = client.jobs.start(bad)
        *_, last = job.watch(every=0.1)
        assert JobStatus.ERROR is last.status
        assert "nosuchopt" in last.info

        again = client.jobs.start(params("works", "failing", 5))
        *_, last = again.watch(every=0.1)
        assert JobStatus.COMPLETED is last.status


def test_trainings_of_one_dataset_queue(any_server: demo.GradioServer) -> None:
    """Two at once do not share a session: each is told how it ends, one after the other."""
    with connected(any_server.url) as client:
        client.datasets.upload(aitk_nb.example_photos(), "shared")
        first = client.jobs.start(params("one of two", "shared", 40))
        second = client.jobs.start(params("two of two", "shared", 40))
        assert JobStatus.QUEUED is second.refresh().status
        for job in (first, second):
            *_, last = job.watch(every=0.1)
            assert (JobStatus.COMPLETED, 40) == (last.status, last.step)
        assert ["two of two", "one of two"] == [
            job.name for job in client.jobs.list() if job.name.endswith("of two")
        ]


@pytest.mark.slow
def test_a_waiting_job_is_taken_out_and_a_running_one_is_not(major: str, tmp_path: Path) -> None:
    """Stopping is honest: what has begun trains to its end, and the error says so."""
    with (
        gradio_servers.server(major, tmp_path, step_seconds=0.02) as server,
        connected(server.url) as client,
    ):
        client.datasets.upload(aitk_nb.example_photos(), "stopping")
        running = client.jobs.start(params("goes on", "stopping", 150))
        waiting = client.jobs.start(params("waits", "stopping", 5))
        until_running(running)

        assert JobStatus.STOPPED is waiting.stop().status
        with pytest.raises(
            NotSupported, match=r"cannot stop a job.*trains to its end.*at the same time"
        ):
            running.stop()
        *_, last = running.watch(every=0.1)

        assert (JobStatus.COMPLETED, 150) == (last.status, last.step)
        assert not list((tmp_path / "gradio").glob("aitk-*/waits"))


def until_running(job: aitk_nb.Job) -> None:
    """Return once a job has made a step."""
    for state in job.watch(every=0.05, timeout=30):
        if state.status is JobStatus.RUNNING and state.step:
            return
    raise AssertionError(f"it ended: {job.state}")


def test_results_in_the_servers_own_folder(any_server: demo.GradioServer) -> None:
    """The job is done, and the error says how its losses could be read."""
    with connected(any_server.url, gradio=OWN) as client:
        client.datasets.upload(aitk_nb.example_photos(), "own")
        job = client.jobs.start(params("own place", "own", 5))
        *_, last = job.watch(every=0.1)

        assert JobStatus.COMPLETED is last.status
        assert (any_server.data / "output" / "own-place" / "own-place.safetensors").is_file()
        assert not client.can(Ability.LOSSES)
        for ask in (job.losses, job.files, job.download):
            with pytest.raises(NotSupported, match="GRADIO_ALLOWED_PATHS=output"):
                ask()


@pytest.mark.slow
def test_a_server_that_shows_its_own_folder(major: str, tmp_path: Path) -> None:
    """Results are read there; this one has no model for captions, and says so."""
    with (
        gradio_servers.server(major, tmp_path, allow=("output",), captioner=False) as server,
        connected(server.url, gradio=OWN) as client,
    ):
        client.datasets.upload(aitk_nb.example_photos(), "own")
        job = client.jobs.start(params("own place", "own", 5))
        *_, last = job.watch(every=0.1)

        assert JobStatus.COMPLETED is last.status
        assert 4 == len(job.losses())
        assert client.can(Ability.LOSSES)
        assert job.download(tmp_path).fetched
        images = aitk_nb.LocalDataset(aitk_nb.example_photos()).images[:2]
        with pytest.raises(NotSupported, match=r"huggingface\.co.*\.txt files"):
            client.datasets.describe(images)


def test_captions_by_the_server(any_server: demo.GradioServer) -> None:
    """One for each image, with progress by images."""
    seen: list[tuple[int, int]] = []
    with connected(any_server.url) as client:
        images = aitk_nb.LocalDataset(aitk_nb.example_photos()).images[:3]
        captions = client.datasets.describe(
            images, trigger_word="grace", progress=lambda done, total: seen.append((done, total))
        )

    assert [path.name for path in images] == list(captions)
    assert all("[trigger]" in text for text in captions.values())
    assert [(0, 3), (1, 3), (2, 3), (3, 3)] == sorted(set(seen))


# -- login ----------------------------------------------------------------------------------------


def test_the_right_login(any_login_server: demo.GradioServer) -> None:
    """Everything works with it, the file route and the queue included."""
    with connected(any_login_server.url, credentials=gradio_servers.LOGIN) as client:
        client.datasets.upload(aitk_nb.example_photos(), "with login")
        job = client.jobs.start(params("logged in", "with login", 5))
        *_, last = job.watch(every=0.1)
        assert (JobStatus.COMPLETED, 4) == (last.status, len(job.losses()))


def test_a_token_may_hold_a_login() -> None:
    """So that one variable of the environment serves both flavours."""
    held = login_of(Connection("http://x", token=Secret("somebody:pass:word")))
    assert ("somebody", Secret("pass:word")) == held
    for token in ("no-colon", ":word", "user:", ""):
        assert login_of(Connection("http://x", token=Secret(token))) is None


def test_a_wrong_login(any_login_server: demo.GradioServer) -> None:
    """The flavour shows, the first call that needs the login fails."""
    with connected(any_login_server.url, credentials=("somebody", "planted-7f3a")) as client:
        assert Flavour.GRADIO is client.flavour
        with pytest.raises(Unauthorized, match="rejects this user name") as caught:
            client.datasets.list()
    assert caught.value.sent
    assert "planted" not in str(caught.value)


def test_no_login(any_login_server: demo.GradioServer) -> None:
    """The error says what is wanted; a web UI's token is none, and is not sent."""
    for credentials in (None, "a-token-of-a-web-ui"):
        with (
            FaultProxy(any_login_server.url) as proxy,
            connected(proxy.url, credentials=credentials) as client,
        ):
            with pytest.raises(Unauthorized, match="requires a user name and password") as caught:
                client.datasets.list()
            assert not caught.value.sent
            assert not any("authorization" in exchange.headers for exchange in proxy.log)
            assert not any(exchange.method == "POST" for exchange in proxy.log)


def test_a_login_for_an_open_server(any_server: demo.GradioServer) -> None:
    """It is not needed, and so not sent."""
    with (
        FaultProxy(any_server.url) as proxy,
        connected(proxy.url, credentials=("somebody", "planted")) as client,
    ):
        client.datasets.upload(aitk_nb.example_photos(), "open")

        # The journal is kept by address, and a port may have been another proxy's before.
        assert "open" in client.datasets.list()
        assert not any(exchange.path == "/login" for exchange in proxy.log)
