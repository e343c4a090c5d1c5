"""`Job.download`: what lies there already is kept, and not fetched twice."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.errors import (
    Rejected,
    UnexpectedReply,
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


def test_a_checkpoint_is_inspected_there(job: aitk_nb.Job, remote: Path, proxy: FaultProxy) -> None:
    """Of 200 MB less than 1 MB comes: the header, and one alpha."""
    tensors = {
        f"blocks.{layer}.attn.to_q.{part}.weight": {
            "dtype": "BF16",
            "shape": shape,
            "data_offsets": [start := (2 * layer + second) * 312_500, start + 312_500],
        }
        for layer in range(320)
        for second, (part, shape) in enumerate({"lora_A": [50, 3125], "lora_B": [3125, 50]}.items())
    }
    header = json.dumps(tensors).encode()
    with remote.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 200_000_000)

    report = job.inspect_lora()

    assert (50, 320, None, True) == (report.rank, report.modules, report.finite, report.ok)
    assert sum(one.bytes_out for one in proxy.log) < 1_000_000


def test_a_gateway_without_ranges_is_told(
    job: aitk_nb.Job, remote: Path, proxy: FaultProxy
) -> None:
    """It sends the whole file, of which nothing is read."""
    proxy.answer("GET", "/api/files/.*", 200, {}, remote.read_bytes())
    with pytest.raises(UnexpectedReply, match="the whole file"):
        job.inspect_lora()


def test_a_bad_line_brings_the_right_bytes_once(
    job: aitk_nb.Job, remote: Path, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Cut again and again, and interrupted: another kernel goes on, and the SHA-256 is right."""
    size = 24_000_000
    remote.write_bytes(random.Random(2).randbytes(size))
    proxy.cut_after = 3_000_000

    def interrupt(done: int, _total: int) -> None:
        if done > size / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.download(tmp_path, progress=interrupt)
    with aitk_nb.connect(proxy.url) as another:
        report = another.jobs.get("transferred").download(tmp_path)

    assert hashlib.sha256(remote.read_bytes()).hexdigest() == report.files[report.path]
    assert remote.read_bytes() == Path(report.path).read_bytes()
    starts = [
        int(one.headers["range"][6:].partition("-")[0])
        for one in proxy.log
        if one.method == "GET" and one.headers.get("range", "").endswith(f"-{size - 1}")
    ]
    assert starts == sorted(starts)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
