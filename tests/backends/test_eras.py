"""Older versions of the web UI, as the embedded server has them: what they lack has a way round."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import aitk_nb
from aitk_nb import Ability, NotSupported, TrainingParams, demo
from aitk_nb.backends.base import Upload, no_progress
from aitk_nb.demo import EraName
from aitk_nb.models.job import JobStatus

ERAS: tuple[EraName, ...] = ("2025-08", "2025-11", "2026-05", "2026-08")
OLD = ERAS[:3]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, demo.DemoServer]]:
    """A server of each version."""
    started = {era: demo.start(era=era, lives_on=0, save_seconds=0) for era in ERAS}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture(
    params=[pytest.param(era, marks=pytest.mark.slow) if era == "2025-11" else era for era in ERAS]
)
def era(request: pytest.FixtureRequest) -> str:
    """Each version in turn."""
    return str(request.param)


@pytest.fixture
def client(era: str, servers: dict[str, demo.DemoServer]) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client of that version's server."""
    with aitk_nb.connect(servers[era].url) as client:
        yield client


def until(done: Callable[[], object]) -> None:
    """Look again and again; fail when it does not come."""
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_abilities_are_those_of_the_version(era: str, client: aitk_nb.AIToolkitClient) -> None:
    """Also for `discover`; losses can be shown wherever there is a log."""
    lacking = {
        "2025-08": {Ability.CAPTION, Ability.SAVE_NOW, Ability.SAMPLE_NOW},
        "2025-11": {Ability.CAPTION, Ability.SAVE_NOW, Ability.SAMPLE_NOW},
        "2026-05": {Ability.SAVE_NOW, Ability.SAMPLE_NOW},
        "2026-08": set[Ability](),
    }
    since_0_13 = {Ability.LORAS, Ability.INFERENCE}
    able = frozenset(ability for ability in Ability if client.can(ability))

    assert {*Ability} - able == lacking[era] | since_0_13 | {Ability.CAPTION_IMAGES}
    assert able == aitk_nb.discover(client.url).abilities


def test_names_that_hold_the_dataset_s_name(
    client: aitk_nb.AIToolkitClient, photos: Path, tmp_path: Path
) -> None:
    """Older versions tell absolute paths, of which the dataset's own part is to be taken away."""
    folder = tmp_path / "cat"
    folder.mkdir()
    for name in ("cat_1", "2_cat", "cat"):
        shutil.copy(photos / "photo_00.jpg", folder / f"{name}.jpg")
        (folder / f"{name}.txt").write_text(f"{name} é", "utf-8")
    there = client.datasets.upload(folder)

    assert ("2_cat.jpg", "cat.jpg", "cat_1.jpg") == there.images
    assert {f"{stem}.jpg": f"{stem} é" for stem in ("cat_1", "2_cat", "cat")} == there.captions
    assert client.datasets.verify(folder).ok
    (folder / "cat.json").write_text("{}", "utf-8")
    client._backend.upload("cat", [Upload(folder / "cat.json", "cat.json", 2)], no_progress)
    tools = client._backend.dataset_tools
    assert {"cat.jpg": "{}"} == tools.captions("cat", there.images, ".json")
    new = client.datasets.set_captions("cat", {"cat.jpg": "another"})
    assert "another" == new.captions["cat.jpg"]
    report = client.datasets.download("cat", tmp_path / "back")
    assert 6 == len(list(Path(report.path).glob("[!.]*")))


def test_a_datasets_folder_that_is_set_in_another_form(
    client: aitk_nb.AIToolkitClient, era: str, servers: dict[str, demo.DemoServer], photos: Path
) -> None:
    """`a//b/./c` is the folder `a/b/c`, and a folder within the dataset may have its name."""
    folder = servers[era].data / "datasets" / "twins"
    (folder / "twins").mkdir(parents=True)
    shutil.copy(photos / "photo_00.jpg", folder / "twins" / "twins.jpg")
    client.settings.set(datasets_folder=f"{servers[era].data}//./datasets/")
    try:
        assert ("twins/twins.jpg",) == client.datasets.get("twins").images
    finally:
        client.settings.set(datasets_folder="")


def test_files_that_are_deleted(
    client: aitk_nb.AIToolkitClient, photos: Path, tmp_path: Path
) -> None:
    """An image takes its caption along where nothing but images can be deleted."""
    folder = tmp_path / "shrinking"
    folder.mkdir()
    for number in (0, 1):
        shutil.copy(photos / f"photo_0{number}.jpg", folder)
        (folder / f"photo_0{number}.txt").write_text("a caption", "utf-8")
    client.datasets.upload(folder)
    (folder / "photo_01.jpg").unlink()
    (folder / "photo_01.txt").unlink()
    there = client.datasets.upload(folder, mirror=True, confirm=lambda _names: True)

    assert ("photo_00.jpg",) == there.images
    tools = client._backend.dataset_tools
    assert {"photo_01.txt": None} == tools.sizes("shrinking", ["photo_01.txt"])
    assert {} == tools.remove("shrinking", ["never_was.jpg"])


def test_a_zip_where_datasets_are_not_packed(
    client: aitk_nb.AIToolkitClient, era: str, photos: Path, tmp_path: Path
) -> None:
    """The error tells what to do instead."""
    client.datasets.upload(photos, "packed")
    if era in OLD:
        with pytest.raises(NotSupported, match="without --zip"):
            client.datasets.download("packed", tmp_path, as_zip=True)
    else:
        assert client.datasets.download("packed", tmp_path, as_zip=True).size > 1000


@pytest.mark.parametrize("era", ["2025-08", pytest.param("2025-11", marks=pytest.mark.slow)])
def test_losses_out_of_the_log(client: aitk_nb.AIToolkitClient, photos: Path) -> None:
    """They are those of the progress bar; read on, they stay the same."""
    client.datasets.upload(photos, "cats")
    params = TrainingParams(name="losses", dataset="cats", steps=40, resolution=64)
    job = client.jobs.start(params)
    job.wait(every=0.1)
    losses = job.losses()

    assert {"loss/loss", "learning_rate"} == {*losses.keys}
    assert 0 < len(losses) <= 40
    assert () == losses.restarts
    assert losses == job.losses(losses)
    assert job.summary().loss is not None
    with pytest.raises(NotSupported, match="cannot save losses now"):
        job.save_now()


@pytest.mark.parametrize("era", ["2025-08"])
def test_without_queues_jobs_begin_at_once(client: aitk_nb.AIToolkitClient, photos: Path) -> None:
    """So preflight says, and a dry run lists no call of a queue."""
    client.datasets.upload(photos, "cats")
    params = TrainingParams(name="first", dataset="cats", steps=100_000, resolution=64)
    planned = client.jobs.plan(params)
    job = client.jobs.start(params)
    beside = client.jobs.preflight(params.model_copy(update={"name": "second"}))
    check = next(check for check in beside.checks if check.name == "GPU")

    assert ["POST", "GET"] == [request.method for request in planned.requests]
    assert "'first' created and started on GPU 0." in planned.outcome
    assert "running" == job.state.status.value
    assert "'first' uses it. This server has no queue: the job would start at once" in check.message
    httpx.get(f"{client.url}/api/jobs/{job.state.id}/stop")
    until(lambda: job.refresh().status.is_final)


@pytest.mark.parametrize(
    ("era", "told"),
    [
        ("2025-08", "error"),
        ("2025-11", "running"),
        pytest.param("2026-05", "running", marks=pytest.mark.slow),
        pytest.param("2026-08", "error", marks=pytest.mark.slow),
    ],
)
def test_a_trainer_that_dies(era: EraName, told: str, tmp_path: Path, photos: Path) -> None:
    """Between the queue and July 2026 nobody notes it; the log says why."""
    command = ("python", "-c", "raise ModuleNotFoundError('no peft')")
    with (
        demo.DemoServer(tmp_path, era=era, command=command) as server,
        aitk_nb.connect(server.start().url) as client,
    ):
        client.datasets.upload(photos, "cats")
        job = client.jobs.start(TrainingParams(name="dies", dataset="cats", steps=5))
        until(lambda: "no peft" in job.log())
        if told == "error":
            until(lambda: job.refresh().status is JobStatus.ERROR)
        else:
            time.sleep(0.2)
        assert told == job.refresh().status.value
