"""Captions by a model on the server: started once, watched, read back, and failures explained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.datasets.captioning import CaptionOptions
from aitk_nb.errors import AitkError, BadInput, NotFound
from aitk_nb.models.job import JobStatus
from tests.cli.command import run
from tests.proxy import FaultProxy


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """An embedded server whose jobs nobody else counts."""
    with demo.start(tmp_path_factory.mktemp("captioning")) as started:
        yield started


@pytest.fixture
def client(server: demo.DemoServer) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client of it."""
    with aitk_nb.connect(server.url) as connected:
        yield connected


@pytest.fixture
def bare(photos: Path, tmp_path: Path) -> Path:
    """Three photographs, one with a caption."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for number in range(3):
        name = f"photo_{number:02}.jpg"
        (folder / name).write_bytes((photos / name).read_bytes())
    (folder / "photo_01.txt").write_text("mine, and it stays", encoding="utf-8")
    return folder


def test_images_without_a_caption_get_one(client: aitk_nb.AIToolkitClient, bare: Path) -> None:
    """One that is there stays; a second call finds nothing to do and starts nothing."""
    client.datasets.upload(bare, "to_caption")

    job = client.datasets.generate_captions("to_caption")
    captions = job.wait(every=0.05, timeout=60)

    assert {"photo_00.jpg", "photo_01.jpg", "photo_02.jpg"} == captions.keys()
    assert "mine, and it stays" == captions["photo_01.jpg"]
    assert all("picture" in captions[name] for name in ("photo_00.jpg", "photo_02.jpg"))
    assert (2, 2) == (job.state.step, job.state.total_steps)
    assert "Captioning completed" == job.state.info
    again = client.datasets.generate_captions("to_caption")
    assert again.job.name == job.job.name
    assert again.state.status is JobStatus.COMPLETED
    assert "none of 3 files lacks a caption" == again.not_started
    assert [] == list(again.watch())
    assert captions == again.wait()
    assert job.job.name not in [other.name for other in client.jobs.list()]


def test_nothing_missing_starts_nothing(
    client: aitk_nb.AIToolkitClient, bare: Path, server: demo.DemoServer
) -> None:
    """Neither is a job created; another model, or a captioner of sounds, changes nothing of it."""
    for number in (0, 2):
        (bare / f"photo_{number:02}.txt").write_text("said", encoding="utf-8")
    client.datasets.upload(bare, "all_said")
    with FaultProxy(server.url) as proxy:
        for model in ("", "nobody/has-this"):
            args = ("dataset", "captions", "all_said", "--write", "--url", proxy.url)
            ran = run(*args, *(("--model", model) if model else ()))
            assert "no captioning was started: none of 3 files lacks a caption" in ran.err
            assert 3 == len(ran.out.splitlines())
        with aitk_nb.connect(proxy.url) as watched:
            (bare / "photo_02.txt").unlink()
            watched.datasets.upload(bare, "for_ears")
            proxy.log.clear()
            ears = CaptionOptions(captioner="AceStepCaptioner")
            job = watched.datasets.generate_captions("for_ears", ears)
            assert "1 file without a caption" in job.not_started
            assert "AceStepCaptioner reads none of that kind" in job.not_started
            assert 2 == len(job.wait())
            assert "not started: 1 file" in repr(job)
        assert not [e for e in proxy.log if e.method == "POST" and e.path == "/api/jobs"]
        assert not [e for e in proxy.log if e.path.endswith("/start")]


def test_recaption_replaces_and_another_order_is_another_job(
    client: aitk_nb.AIToolkitClient, bare: Path
) -> None:
    """All three are written; the same order again writes none."""
    client.datasets.upload(bare, "to_recaption")
    order = CaptionOptions(recaption=True, captioner="Qwen3OmniCaptioner")

    job = client.datasets.generate_captions("to_recaption", order)
    captions = job.wait(every=0.05, timeout=60)

    assert "picture" in captions["photo_01.jpg"]
    assert 3 == job.state.total_steps
    again = client.datasets.generate_captions("to_recaption", order)
    assert again.state.status is JobStatus.COMPLETED
    assert "completed before" in again.not_started
    assert job.job.name != client.datasets.generate_captions("to_recaption").job.name


def test_a_model_that_nobody_has_is_explained(client: aitk_nb.AIToolkitClient, bare: Path) -> None:
    """In a sentence, with what to do."""
    client.datasets.upload(bare, "no_model")

    job = client.datasets.generate_captions("no_model", CaptionOptions(model="nobody/has-this"))

    with pytest.raises(AitkError, match=r"does not have the model.*has-this.*hf_token"):
        job.wait(every=0.05, timeout=60)
    assert job.state.status is JobStatus.ERROR


def test_what_cannot_be_captioned_is_refused_before(client: aitk_nb.AIToolkitClient) -> None:
    """An unknown dataset, an unknown captioner, numbers that are none."""
    with pytest.raises(NotFound):
        client.datasets.generate_captions("nobody_has_this")
    with pytest.raises(BadInput, match="Unknown captioner 'Florence'"):
        CaptionOptions(captioner="Florence")
    with pytest.raises(BadInput):
        CaptionOptions(max_res=0)
