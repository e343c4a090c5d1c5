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
    assert job.job.name not in [other.name for other in client.jobs.list()]


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
    assert (
        client.datasets.generate_captions("to_recaption", order).state.status is JobStatus.COMPLETED
    )
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
        CaptionOptions(captioner="Florence")  # type: ignore[arg-type]
    with pytest.raises(BadInput):
        CaptionOptions(max_res=0)
