"""Trainings of the embedded Gradio app: what of them can be seen, and what does not end them.

`make test` runs these under Gradio 6, tests/gradio under 5 and 4 as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from aitk_nb.demo import GradioServer
from tests import gradio_servers
from tests.demo.gradio_jobs import (
    FRAME,
    PER_FLUSH,
    WAL_HEADER,
    finished,
    form,
    missing,
    rows,
    rows_in_log,
    size,
    until,
)
from tests.gradio_servers import Caller, hold, release


@pytest.fixture(scope="module")
def paced(major: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GradioServer]:
    """A server whose trainings write the losses of each step at once."""
    data = tmp_path_factory.mktemp(f"paced-{major}")
    with gradio_servers.server(major, data, flush_seconds=0) as server:
        yield server


@pytest.fixture
def caller(paced: GradioServer, photos: Path) -> Iterator[Caller]:
    """A session on it that has made a dataset."""
    with Caller(paced.url) as caller:
        files = {path.name: path.read_bytes() for path in sorted(photos.glob("photo_0[0-3].*"))}
        assert 200 == caller.create_dataset(files).status_code
        yield caller
    release(paced)


@pytest.mark.slow
def test_the_losses_can_be_followed_through_the_log(paced: GradioServer, caller: Caller) -> None:
    """The database stands still until 1000 pages; its log is written from the start again then.

    At a clean end the log is folded in, and every step but the first has a row.
    """
    steps, root = 450, caller.root()
    job = f"{root}/jobs/followed"
    before = caller.file(f"{job}/config.yaml", "HEAD")
    hold(paced)
    caller.join("start_training", form(root, "followed", steps).data())
    until(lambda: size(caller, f"{job}/loss_log.db-wal"))
    accepted = caller.file(f"{job}/config.yaml")
    seen = [(size(caller, f"{job}/loss_log.db"), size(caller, f"{job}/loss_log.db-wal"))]
    for step in (100, 400):
        hold(paced, step)
        until(lambda: rows_in_log(paced.data / "gradio/jobs/followed")[-1:] == [step - 1])  # noqa: B023
        seen.append((size(caller, f"{job}/loss_log.db"), size(caller, f"{job}/loss_log.db-wal")))
    release(paced)
    finished(caller, f"{job}/followed.safetensors")

    assert missing(before.status_code)
    assert "training_folder" in accepted.text
    assert (4096, WAL_HEADER + 7 * FRAME) == seen[0]
    assert 4096 == seen[1][0] < seen[2][0]
    assert all((log - WAL_HEADER) % FRAME == 0 for _, log in seen)
    assert 99 * PER_FLUSH * FRAME <= seen[1][1] < 110 * PER_FLUSH * FRAME
    assert 1000 * FRAME <= seen[2][1] < 1100 * FRAME < 399 * PER_FLUSH * FRAME
    assert missing(caller.file(f"{job}/loss_log.db-wal", "HEAD").status_code)
    assert list(range(1, steps)) == rows(paced.data / "gradio/jobs/followed/loss_log.db")


@pytest.mark.slow
def test_only_some_files_have_names_that_are_known(paced: GradioServer, caller: Caller) -> None:
    """Numbered checkpoints up to the last but one, the LoRA, the optimiser; no log, no listing.

    Samples are there, but their names hold the time.
    """
    root = caller.root()
    more = "train: {disable_sampling: false}\nsample: {prompts: [a face], sample_steps: 1}\n"
    done = caller.finish("start_training", form(root, "Named Files", 61, more).data())
    job = f"{root}/jobs/named-files"
    names = {
        name: caller.file(f"{job}/{name}", "HEAD").status_code
        for name in (
            *("named-files_000000040.safetensors", "named-files_000000060.safetensors"),
            *("named-files.safetensors", "optimizer.pt", "loss_log.db", "config.yaml"),
            *("named-files_000000020.safetensors", "named-files_000000061.safetensors"),
            *("log.txt", "pid.txt", ".job_config.json", "loss_log.db-wal", "", "samples"),
        )
    }
    samples = sorted((paced.data / "gradio/jobs/named-files/samples").iterdir())
    known = caller.file(f"{job}/samples/{samples[-1].name}", "HEAD").status_code

    text = "Training completed successfully. Model saved as named-files"
    assert [text] == done["output"]["data"]
    assert [200] * 6 == list(names.values())[:6]
    assert all(map(missing, list(names.values())[6:]))
    assert samples[-1].name.endswith("__000000061_0.jpg")
    assert 200 == known


def test_a_client_that_leaves_ends_nothing(paced: GradioServer, caller: Caller) -> None:
    """The stream that was cut cannot be had again, and the training goes on to its end.

    Under Gradio 5 and 6 the end is counted.
    """
    root = caller.root()
    hold(paced)
    ended = _trainings(caller)
    caller.join("start_training", form(root, "left", 30).data())
    stream = caller.messages()
    until(lambda: next(stream)["msg"] == "process_starts")
    stream.close()
    again = until(lambda: _again(caller))
    meanwhile = _trainings(caller)
    release(paced)
    finished(caller, f"{root}/jobs/left/left.safetensors")

    assert ("unexpected_error", False) == (again["msg"], again["success"])
    assert again["message"].startswith("404: ")
    assert ended == meanwhile
    if ended is not None:
        until(lambda: _trainings(caller) == ended + 1)


def _again(caller: Caller) -> dict[str, Any] | None:
    """Return the answer to another reader of a stream, which hangs until the cut was noticed."""
    try:
        return next(caller.messages(timeout=2))
    except httpx.TimeoutException:
        return None


def _trainings(caller: Caller) -> int | None:
    """Return how many trainings have ended, as the server counts; None where it does not tell."""
    summary = caller.http.get("/monitoring/summary")
    if not summary.is_success:
        return None
    counted = summary.json()["functions"].get("start_training", {})
    return int(counted.get("total_requests", 0))


def test_a_canceled_training_goes_on_and_the_next_trains_beside_it(
    paced: GradioServer, caller: Caller
) -> None:
    """Cancelling says yes and only frees the place in the queue."""
    root = caller.root()
    hold(paced)
    event = caller.join("start_training", form(root, "first", 30).data())
    stream = caller.messages()
    until(lambda: next(stream)["msg"] == "process_starts")
    index = caller.indices["start_training"]
    body = {"session_hash": caller.session, "fn_index": index, "event_id": event}
    answer = caller.http.post(f"{caller.prefix}/cancel", json=body)
    stream.close()
    until(lambda: size(caller, f"{root}/jobs/first/loss_log.db-wal"))
    caller.join("start_training", form(root, "second", 30).data())
    both = until(lambda: size(caller, f"{root}/jobs/second/loss_log.db-wal"))
    release(paced)

    assert {"success": True} == answer.json()
    assert both
    finished(caller, f"{root}/jobs/first/first.safetensors")
    finished(caller, f"{root}/jobs/second/second.safetensors")


def test_a_second_client_waits(paced: GradioServer, caller: Caller, photos: Path) -> None:
    """The queue tells its place, and counts those who wait only; it never runs if it leaves."""
    root = caller.root()
    hold(paced)
    caller.join("start_training", form(root, "running", 30).data())
    # By HEAD: a GET of a file that still grows breaks.
    until(lambda: caller.file(f"{root}/jobs/running/config.yaml", "HEAD").is_success)
    alone = _waiting(caller)
    with Caller(paced.url) as waiting:
        files = {path.name: path.read_bytes() for path in photos.glob("photo_0[0-1].*")}
        waiting.create_dataset(files)
        waiting.join("start_training", form(root, "waiting", 30).data())
        until(lambda: _waiting(caller) == 1)
        first = next(waiting.messages())
        until(lambda: _again(waiting))
    release(paced)
    finished(caller, f"{root}/jobs/running/running.safetensors")
    caller.run("start_training", form(root, "last", 20).data())

    assert 0 == alone
    assert ("estimation", 0, 1) == (first["msg"], first["rank"], first["queue_size"])
    assert size(caller, f"{root}/jobs/last/last.safetensors")
    assert not (paced.data / "gradio/jobs/waiting").exists()


def _waiting(caller: Caller) -> int:
    return int(caller.http.get(f"{caller.prefix}/queue/status").json()["queue_size"])


def test_a_session_without_a_dataset_is_not_warned(paced: GradioServer) -> None:
    """The state belongs to the session: elsewhere the folder is null, and the job fails late."""
    with Caller(paced.url) as stranger:
        root = stranger.root()
        done = stranger.finish("start_training", form(root, "stranger", 20).data())
        config = stranger.file(f"{root}/jobs/stranger/config.yaml").text

    assert (False, True) == (done["success"], "folder_path: null" in config)


def test_captions_are_read_beside_the_images_alone(paced: GradioServer, caller: Caller) -> None:
    """Files are copied as they are; the text boxes go into a file that no training reads."""
    (folder,) = [
        path.parent
        for path in (paced.data / "datasets").glob("*/metadata.jsonl")
        if path.stat().st_mtime == max(p.stat().st_mtime for p in path.parents[1].glob("*/*.jsonl"))
    ]

    assert 4 == len(list(folder.glob("*.jpg"))) == len(list(folder.glob("*.txt")))
    assert 8 == len((folder / "metadata.jsonl").read_text().splitlines())


def test_the_same_name_again_goes_on(paced: GradioServer, caller: Caller) -> None:
    """The second training continues from the checkpoint of the first, in the same folder."""
    root = caller.root()
    database = paced.data / "gradio/jobs/again/loss_log.db"
    caller.finish("start_training", form(root, "again", 30).data())
    first = rows(database)
    caller.finish("start_training", form(root, "again", 60).data())

    assert list(range(1, 30)) == first
    # The first step of a run is never logged.
    assert [*range(1, 30), *range(31, 60)] == rows(database)


def test_captions_come_one_image_at_a_time(
    paced: GradioServer, caller: Caller, photos: Path
) -> None:
    """All 150 texts each time: whole at first, then what has changed."""
    images = {path.name: path.read_bytes() for path in sorted(photos.glob("photo_0[0-2].jpg"))}
    files = [gradio_servers.file_data(path) for path in caller.upload(images)]
    caller.join("run_captioning", [files, "xyz", *[""] * gradio_servers.CAPTIONS])
    said = list(caller.messages())
    texts = [
        message["output"]["data"] for message in said if message["msg"] == "process_generating"
    ]
    (done,) = (message for message in said if message["msg"] == "process_completed")

    whole, *changes = texts
    assert len(images) == len(texts)
    assert whole[0].endswith(". [trigger]")
    assert [""] * 149 == whole[1:]
    assert [1, 2] == [_changed(change) for change in changes]
    assert done["success"]


def _changed(change: list[list[Any]]) -> int:
    """Return which of the texts is in a list of differences."""
    (place,) = (number for number, operations in enumerate(change) if operations)
    return place


def test_it_speaks_to_loopback_only(paced: GradioServer, caller: Caller) -> None:
    """Neither the page nor a training calls anybody."""
    root = caller.root()
    hold(paced, 25)
    caller.join("start_training", form(root, "quiet", 30).data())
    until(lambda: size(caller, f"{root}/jobs/quiet/quiet_000000020.safetensors") or _looked(paced))
    release(paced)
    finished(caller, f"{root}/jobs/quiet/quiet.safetensors")


def _looked(server: GradioServer) -> None:
    connections = psutil.Process(server.process.pid).net_connections()
    ends = [end for c in connections for end in (c.laddr, c.raddr) if end]
    assert {"127.0.0.1"} == {end.ip for end in ends}
