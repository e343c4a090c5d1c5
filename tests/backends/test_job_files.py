"""`Job.download`: what lies there already is kept, and not fetched twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.errors import (
    Rejected,
)
from aitk_nb.training import job_config
from tests.proxy import FaultProxy


@pytest.fixture
def job(line: WebUI, demo_server: demo.DemoServer, remote: Path) -> Iterator[aitk_nb.Job]:
    """A job of the server to which the file belongs."""
    params = aitk_nb.TrainingParams(name="transferred", dataset="none")
    state = line.create_job(job_config.draft(params))
    yield aitk_nb.Job(line, state)
    line.delete_job(line.get_job("transferred"))


def test_an_older_file_is_kept_under_another_name(
    job: aitk_nb.Job, remote: Path, tmp_path: Path
) -> None:
    """Another content of the same size too; the same content is not fetched again."""
    target = tmp_path / "lora.safetensors"
    for content in (b"short", bytes(300_000)):
        target.write_bytes(content)
        report = job.download(tmp_path)
        assert report.fetched
        assert str(target) == report.path
        assert remote.read_bytes() == target.read_bytes()
    assert not job.download(tmp_path).fetched

    assert b"short" == (tmp_path / "lora.1.safetensors").read_bytes()
    assert bytes(300_000) == (tmp_path / "lora.2.safetensors").read_bytes()
    left = {"lora.safetensors", "lora.1.safetensors", "lora.2.safetensors"}
    assert {*left, "aitk-download.json", "transferred.yaml"} == {p.name for p in tmp_path.iterdir()}


def test_a_failed_download_gives_the_older_file_its_name_back(
    job: aitk_nb.Job, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Whatever went wrong, what was there is there."""
    target = tmp_path / "lora.safetensors"
    target.write_bytes(b"older")
    proxy.answer("GET", "/api/files/.*", 403, {}, b"Access denied")

    with pytest.raises(Rejected, match="Access denied"):
        job.download(tmp_path)

    assert [target] == list(tmp_path.iterdir())
    assert b"older" == target.read_bytes()


@pytest.mark.parametrize("size", [10, 1000, 5000])
def test_a_sample_is_fetched_whatever_lies_there(
    job: aitk_nb.Job, demo_server: demo.DemoServer, tmp_path: Path, size: int
) -> None:
    """The server tells no size of samples; a longer, a shorter and an equal file are told apart."""
    folder = demo_server.data / "output" / "transferred" / "samples"
    folder.mkdir(exist_ok=True)
    picture = folder / "1700000000000__000000010_0.jpg"
    picture.write_bytes(b"p" * 1000)
    (sample,) = job.samples()
    (tmp_path / sample.name).write_bytes(b"p" * size)

    report = job.download(tmp_path, sample)

    assert report.fetched is (size != 1000)
    assert b"p" * 1000 == (tmp_path / sample.name).read_bytes()
    assert (10, 0) == (sample.step, sample.index)
