"""A Gradio server that dies, a line that breaks, a second kernel: what is told, and what is done.

`tests/gradio` runs the same on other generations of Gradio.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.gradio.backend import Gradio
from aitk_nb.backends.gradio.job_outputs import Evidence, Verdict, judge
from aitk_nb.backends.gradio.journal import Journal
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.client import AIToolkitClient
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import ConnectionFailed, NotFound
from aitk_nb.models.job import JobStatus
from tests import gradio_servers
from tests.backends.test_gradio_path import params, until_running
from tests.proxy import FaultProxy

STEPS = 240


@pytest.fixture(scope="module")
def slow(major: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.GradioServer]:
    """A server whose trainings take seconds, for all of this module."""
    data = tmp_path_factory.mktemp("slow")
    with gradio_servers.server(major, data, step_seconds=0.02) as server:
        yield server


def kernel(url: str, notes: Path, served_for: str = "") -> AIToolkitClient:
    """Return a client as another kernel of this computer has it: it shares only the notes."""
    journal = Journal(served_for or url, notes)
    return AIToolkitClient(Gradio(GradioHttp(Connection(url), attempts=2), journal=journal))


def begun(client: AIToolkitClient, name: str, steps: int = STEPS) -> aitk_nb.Job:
    """Return a job that has made a step."""
    client.datasets.upload(aitk_nb.example_photos(), "photos")
    job = client.jobs.start(params(name, "photos", steps))
    until_running(job)
    return job


def verdict(client: AIToolkitClient, name: str) -> Verdict:
    """Return what is told of a job."""
    backend = client._backend
    assert isinstance(backend, Gradio)
    found, why, _ = backend._outcomes.verdict(backend._note(name))
    assert why
    return found


def trainings(server: demo.GradioServer, name: str) -> int:
    """Return how often the server has begun a job: each time leaves a config there."""
    return len(list((server.data / "tmp").glob(f"*-{name}.yaml")))


def order(server: demo.GradioServer, *names: str) -> list[str]:
    """Return the jobs in the order in which their LoRAs were finished, none before another began.

    A config that is younger than the LoRA before it proves that they did not train at once.
    """

    def times(name: str) -> tuple[float, float]:
        slug = name.replace(" ", "-")
        (folder,) = (server.data / "gradio").glob(f"aitk-*/{slug}")
        files = (folder / "config.yaml", folder / f"{slug}.safetensors")
        began, ended = (path.stat().st_mtime for path in files)
        return began, ended

    ordered = sorted(names, key=times)
    for one, other in itertools.pairwise(ordered):
        assert times(one)[1] <= times(other)[0]
    return ordered


@pytest.mark.slow
def test_the_line_is_cut_and_the_server_trains_on(slow: demo.GradioServer, tmp_path: Path) -> None:
    """It is told, the loss goes on, nothing trains beside it, and in the end it is finished."""
    with FaultProxy(slow.url) as proxy, kernel(proxy.url, tmp_path) as client:
        job = begun(client, "cut")
        proxy.cut()

        assert Verdict.TRAINING is verdict(client, "cut")
        state = job.refresh()
        assert (JobStatus.RUNNING, "still training") == (state.status, state.raw_status)
        assert job.name == client.jobs.start(params("cut", "photos", STEPS)).name
        beside = client.jobs.start(params("beside", "photos", 5))
        assert (JobStatus.QUEUED, 1) == (beside.state.status, beside.state.queue_rank)
        *_, last = job.watch(every=0.1)

        assert (JobStatus.COMPLETED, STEPS) == (last.status, last.step)
        assert STEPS - 1 == len(job.losses())
        assert Verdict.FINISHED is verdict(client, "cut")
        assert job.download(tmp_path).fetched
        *_, last = beside.watch(every=0.1)
        assert JobStatus.COMPLETED is last.status
    assert 1 == trainings(slow, "cut") == trainings(slow, "beside")
    assert order(slow, "cut", "beside") == ["cut", "beside"]


@pytest.mark.slow
def test_a_proxy_with_a_time_limit(slow: demo.GradioServer, tmp_path: Path) -> None:
    """Every line is cut while three jobs train one after another: each is trained once."""
    names = [f"limited {number}" for number in range(3)]
    with FaultProxy(slow.url) as proxy, kernel(proxy.url, tmp_path) as client:
        client.datasets.upload(aitk_nb.example_photos(), "photos")
        proxy.cut_seconds = 1.5
        jobs = client.jobs.start_all([params(name, "photos", 150) for name in names])
        assert [1, 2] == [job.refresh().queue_rank for job in jobs[1:]]
        for job in reversed(jobs):
            assert JobStatus.COMPLETED is job.wait(60, every=0.1).status
    assert [1, 1, 1] == [trainings(slow, name.replace(" ", "-")) for name in names]
    assert order(slow, *names) == names


@pytest.mark.slow
def test_a_job_that_waits_behind_a_stranger_is_queued_again(
    slow: demo.GradioServer, tmp_path: Path
) -> None:
    """Its line is cut three times meanwhile; and the stranger's job trains undisturbed."""
    with (
        FaultProxy(slow.url) as proxy,
        kernel(slow.url, tmp_path / "stranger") as stranger,
        kernel(proxy.url, tmp_path / "ours", slow.url) as client,
    ):
        ahead = begun(stranger, "stranger", 400)
        client.datasets.upload(aitk_nb.example_photos(), "photos")
        job = client.jobs.start(params("patient", "photos", 5))
        assert (JobStatus.QUEUED, 0) == (job.state.status, job.state.queue_rank)
        proxy.cut()
        states = job.watch(every=0.1, timeout=60)
        seen = {state.status for state in states}
        assert JobStatus.COMPLETED is job.state.status
        assert seen <= {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.COMPLETED}
        assert JobStatus.COMPLETED is ahead.wait(30).status
    assert 1 == trainings(slow, "patient") == trainings(slow, "stranger")
    assert order(slow, "stranger", "patient") == ["stranger", "patient"]


@pytest.mark.slow
def test_a_waiting_job_is_taken_out_by_another_process(
    slow: demo.GradioServer, tmp_path: Path
) -> None:
    """One that is held back, and one that waits in the server's queue behind a stranger's."""
    with (
        kernel(slow.url, tmp_path / "stranger") as stranger,
        kernel(slow.url, tmp_path / "ours") as client,
        kernel(slow.url, tmp_path / "ours") as other,
    ):
        gradio_servers.hold(slow, 50)  # late enough for the log to have been flushed before
        try:
            begun(stranger, "before", 60)
            client.datasets.upload(aitk_nb.example_photos(), "photos")
            queued = client.jobs.start(params("queued", "photos", 5))
            held = client.jobs.start(params("held", "photos", 5))
            last = client.jobs.start(params("last", "photos", 5))
            assert [0, 1, 2] == [job.refresh().queue_rank for job in (queued, held, last)]
            for name in ("held", "queued"):
                end = other.jobs.get(name).stop()
                assert (JobStatus.STOPPED, "Removed from the queue.") == (end.status, end.info)
        finally:
            gradio_servers.release(slow)
        assert JobStatus.STOPPED is queued.refresh().status is held.refresh().status
        assert JobStatus.COMPLETED is last.wait(60, every=0.1).status
    assert 0 == trainings(slow, "queued") == trainings(slow, "held")


@pytest.mark.slow
def test_the_network_is_gone_and_comes_back(slow: demo.GradioServer, tmp_path: Path) -> None:
    """Nothing can be told while it is away; another kernel finds the job by its name."""
    with FaultProxy(slow.url) as proxy, kernel(proxy.url, tmp_path, slow.url) as client:
        job = begun(client, "gone")
        proxy.__exit__()

        assert Verdict.UNKNOWN is verdict(client, "gone")
        with pytest.raises(ConnectionFailed, match="the state of gone is unknown"):
            job.refresh()
        assert "unreachable" == job.health().state.value

        with kernel(slow.url, tmp_path) as other:
            again = other.jobs.start(params("gone", "photos", STEPS))
            assert JobStatus.RUNNING is again.state.status
            *_, last = again.watch(every=0.1)
            assert JobStatus.COMPLETED is last.status
    assert 1 == trainings(slow, "gone")


@pytest.mark.slow
def test_the_server_is_killed_and_started_again(major: str, tmp_path: Path) -> None:
    """First nothing can be told, then that it was restarted; the job goes on when asked to."""
    with (
        gradio_servers.server(major, tmp_path / "data", step_seconds=0.02) as first,
        kernel(first.url, tmp_path) as client,
    ):
        job = begun(client, "killed")
        port = int(first.url.rpartition(":")[2])
        first.process.kill()
        first.process.wait()

        assert Verdict.UNKNOWN is verdict(client, "killed")
        with pytest.raises(ConnectionFailed, match="is unknown"):
            job.refresh()

        with gradio_servers.server(major, first.data, port=port) as restarted:
            assert Verdict.RESTARTED is verdict(client, "killed")
            state = job.refresh()
            assert (JobStatus.STOPPED, "server restarted") == (state.status, state.raw_status)
            assert 0 < state.step < STEPS
            assert "if_exists='resume'" in state.info
            # The same again attaches: nothing is trained unasked.
            same = client.jobs.start
            assert JobStatus.STOPPED is same(params("killed", "photos", STEPS)).state.status
            assert 1 == trainings(restarted, "killed")

            resumed = same(params("killed", "photos", STEPS), if_exists="resume")
            *_, last = resumed.watch(every=0.1)
            assert (JobStatus.COMPLETED, STEPS) == (last.status, last.step)
            assert 2 == trainings(restarted, "killed")


@pytest.mark.slow
def test_what_is_held_back_outlives_a_restart(major: str, tmp_path: Path) -> None:
    """The server dies under the first job; the second one trains on the new process."""
    with (
        gradio_servers.server(major, tmp_path / "data", step_seconds=0.02) as first,
        kernel(first.url, tmp_path) as client,
    ):
        job = begun(client, "dies")
        held = client.jobs.start(params("outlives", "photos", 5))
        assert JobStatus.QUEUED is held.state.status
        port = int(first.url.rpartition(":")[2])
        first.process.kill()
        first.process.wait()
        with gradio_servers.server(major, first.data, port=port):
            assert JobStatus.COMPLETED is held.wait(60, every=0.2).status
            assert JobStatus.STOPPED is job.refresh().status


@pytest.mark.slow
def test_a_second_kernel_finds_a_job_and_its_end(slow: demo.GradioServer, tmp_path: Path) -> None:
    """While the first one follows it, and when it is gone."""
    with kernel(slow.url, tmp_path) as first, kernel(slow.url, tmp_path) as second:
        job = begun(first, "found", 120)
        found = second.jobs.get("found")
        assert JobStatus.RUNNING is found.state.status
        assert found.state.id == job.state.id
        assert "found" == second.jobs.start(params("found", "photos", 120)).name
        with pytest.raises(aitk_nb.errors.JobConflict, match=r"train\.steps is 120, not 121"):
            second.jobs.start(params("found", "photos", 121))
        *_, last = found.watch(every=0.1)
        assert (JobStatus.COMPLETED, 119) == (last.status, len(found.losses()))
    with kernel(slow.url, tmp_path / "of another computer") as third:
        adopted = third.jobs.get(str(last.id))
        assert (JobStatus.COMPLETED, "found") == (adopted.state.status, adopted.name)
        assert 119 == len(third.jobs.get("found").losses())
    assert 1 == trainings(slow, "found")


@pytest.mark.slow
def test_two_kernels_start_at_once(slow: demo.GradioServer, tmp_path: Path) -> None:
    """One training comes of it, and both have its job."""
    wanted = params("elected", "photos", 30)
    with kernel(slow.url, tmp_path) as first, kernel(slow.url, tmp_path) as second:
        first.datasets.upload(aitk_nb.example_photos(), "photos")
        together = threading.Barrier(2)
        ends: list[JobStatus] = []

        def start(client: AIToolkitClient) -> None:
            together.wait()
            *_, last = client.jobs.start(wanted).watch(every=0.1)
            ends.append(last.status)

        threads = [threading.Thread(target=start, args=[each]) for each in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert [JobStatus.COMPLETED] * 2 == ends
    assert 1 == trainings(slow, "elected")


@pytest.mark.slow
def test_a_kernel_dies_while_its_job_trains_or_waits(
    slow: demo.GradioServer, tmp_path: Path
) -> None:
    """What has begun trains on and is found; what waited never begins, and can be started."""
    script = f"""
import sys
from tests.backends.test_gradio_lost import begun, kernel, params
from pathlib import Path
client = kernel({slow.url!r}, Path({str(tmp_path)!r}))
begun(client, "trains", 200)
client.jobs.start(params("waits", "photos", 5))
print("ready", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as other:
        assert other.stdout is not None
        assert "ready" == other.stdout.readline().strip()
        with kernel(slow.url, tmp_path) as client:
            assert JobStatus.QUEUED is client.jobs.get("waits").state.status
            other.kill()
            other.wait()

            assert Verdict.TRAINING is verdict(client, "trains")
            *_, last = client.jobs.get("trains").watch(every=0.1)
            assert JobStatus.COMPLETED is last.status
            waited = client.jobs.get("waits")
            *_, last = waited.watch(every=0.1)
            assert (JobStatus.STOPPED, True) == (last.status, last.never_started)
            *_, last = client.jobs.start(params("waits", "photos", 5)).watch(every=0.1)
            assert JobStatus.COMPLETED is last.status
    assert 1 == trainings(slow, "trains") == trainings(slow, "waits")


@pytest.mark.slow
def test_the_line_of_a_job_is_lost_that_waits_among_others(
    slow: demo.GradioServer, tmp_path: Path
) -> None:
    """It is queued again when it is known that it never began, and not before.

    All generations drop a waiting call with its line (measured: within 0.01 s on 4.44.1), but 4
    neither says which call it was nor takes one out: there only an empty queue proves it.
    """
    gradio_servers.hold(slow, 50)  # late enough for the log to have been flushed before
    with (
        FaultProxy(slow.url) as proxy,
        kernel(slow.url, tmp_path / "ahead") as first,
        kernel(proxy.url, tmp_path / "lost", slow.url) as client,
        kernel(slow.url, tmp_path / "behind") as last,
    ):
        try:
            begun(first, "ahead", 60)
            for each in (client, last):
                each.datasets.upload(aitk_nb.example_photos(), "photos")
            job = client.jobs.start(params("lost", "photos", 5))
            last.jobs.start(params("behind", "photos", 5))
            proxy.cut()
            states = job.watch(every=0.2, timeout=60)
            state = next(each for each in states if "will be queued again" in each.info)
            assert JobStatus.QUEUED is state.status
        finally:
            gradio_servers.release(slow)
        *_, state = states
        assert JobStatus.COMPLETED is state.status
        *_, state = last.jobs.get("behind").watch(every=0.2, timeout=60)
        assert JobStatus.COMPLETED is state.status
    assert 1 == trainings(slow, "lost")
    assert order(slow, "behind", "lost") == ["behind", "lost"]


@pytest.mark.slow
def test_a_dataset_survives_a_restart_as_long_as_its_uploads(
    any_server: demo.GradioServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is created again, or said to be gone; only what is gone is sent again."""
    with kernel(any_server.url, tmp_path) as client:
        client.datasets.upload(aitk_nb.example_photos(), "kept")
        journal = Journal(any_server.url, tmp_path)
        with journal.change() as notes:  # as an earlier process of the server would have got it
            notes.datasets["kept"] = replace(notes.datasets["kept"], app_id="1")
    with kernel(any_server.url, tmp_path) as client:
        assert ("kept",) == client.datasets.list()
        assert 12 == len(client.datasets.get("kept").images)
        job = client.jobs.start(params("restored", "kept", 5))
        assert JobStatus.COMPLETED is job.wait(30, every=0.1).status
        assert "The server was restarted; 'kept' is created again" in caplog.text

        with journal.change() as notes:
            first, *others = notes.datasets["kept"].files
            gone = replace(first, path=f"{first.path}.gone")
            notes.datasets["kept"] = replace(notes.datasets["kept"], files=(*others, gone))
        with pytest.raises(NotFound, match=r"before the server was restarted.*upload it again"):
            client.jobs.start(params("partly", "kept", 5))
        client.datasets.upload(aitk_nb.example_photos(), "kept")
        sent = journal.read().datasets["kept"].files
        assert not any(file.path.endswith(".gone") for file in sent)
        assert set(others) <= set(sent)
        job = client.jobs.start(params("partly", "kept", 5))
        assert JobStatus.COMPLETED is job.wait(30, every=0.1).status

        with journal.change() as notes:
            files = tuple(
                replace(file, path=f"{file.path}.gone") for file in notes.datasets["kept"].files
            )
            notes.datasets["kept"] = replace(notes.datasets["kept"], app_id="1", files=files)
    with kernel(any_server.url, tmp_path) as client:
        assert () == client.datasets.list()
        with pytest.raises(NotFound, match=r"before the server was restarted.*upload it again"):
            client.jobs.start(params("lacking", "kept", 5))


def test_a_restart_before_a_job_began(any_server: demo.GradioServer, tmp_path: Path) -> None:
    """Nothing is said of a LoRA that it would have written."""
    with kernel(any_server.url, tmp_path) as client:
        client.datasets.upload(aitk_nb.example_photos(), "photos")
        client.jobs.start(params("begun", "photos", 5)).wait(30, every=0.1)
        with Journal(any_server.url, tmp_path).change() as notes:
            note = replace(notes.jobs["begun"], app_id="1", outcome="", name="waited")
            notes.jobs["waited"] = replace(note, folder=f"{note.folder}/none")
            notes.jobs["own"] = replace(note, name="own", folder="output/none")
    with kernel(any_server.url, tmp_path) as client:
        state = client.jobs.get("waited").state
        assert (JobStatus.STOPPED, True) == (state.status, state.never_started)
        assert "The server was restarted before the job began." == state.info
    own = Gradio(
        GradioHttp(Connection(any_server.url), attempts=2),
        results="server",
        journal=Journal(any_server.url, tmp_path),
    )
    with AIToolkitClient(own) as client:
        state = client.jobs.get("own").state
        assert JobStatus.STOPPED is state.status
        assert "it has not begun, or the server shows nothing of that folder" in state.info


@pytest.mark.slow
def test_what_an_older_job_left_is_not_a_waiting_ones(major: str, tmp_path: Path) -> None:
    """The server's own folder shows an older job of the same name."""

    def own(notes: str) -> AIToolkitClient:
        journal = Journal(server.url, tmp_path / notes)
        http = GradioHttp(Connection(server.url), attempts=2)
        return AIToolkitClient(Gradio(http, results="server", journal=journal))

    with gradio_servers.server(
        major, tmp_path / "data", step_seconds=0.02, allow=("output",)
    ) as server:
        with own("older") as client:
            client.datasets.upload(aitk_nb.example_photos(), "photos")
            client.jobs.start(params("twice", "photos", 5)).wait(30, every=0.1)
        with own("newer") as client, own("newer") as other:
            client.datasets.upload(aitk_nb.example_photos(), "photos")
            client.jobs.start(params("before", "photos", 120))
            job = client.jobs.start(params("twice", "photos", 10))
            assert JobStatus.QUEUED is job.state.status
            for each in (job, other.jobs.get("twice")):
                assert 0 == len(each.losses()) == len(each.files())
            job.stop()


@pytest.mark.slow
def test_a_process_ends_although_its_job_trains(slow: demo.GradioServer, tmp_path: Path) -> None:
    """A script that starts a training need not wait for its end."""
    script = f"""
from tests.backends.test_gradio_lost import begun, kernel
from pathlib import Path
begun(kernel({slow.url!r}, Path({str(tmp_path)!r})), "left behind", 400)
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2], timeout=60
    )
    with kernel(slow.url, tmp_path) as client:
        state = client.jobs.get("left behind").state
        assert JobStatus.RUNNING is state.status
        assert 0 < state.step < 400


def test_every_piece_of_evidence_counts() -> None:
    """Which of the four holds, from what was seen."""
    seen = Evidence(accepted=True, has_log=True)
    assert Verdict.UNKNOWN is judge(Evidence(answers=False, has_lora=True, folded=True))[0]
    assert Verdict.FINISHED is judge(Evidence(accepted=True, has_lora=True, folded=True))[0]
    # Also after a restart: what is whole stays whole.
    done = Evidence(same_server=False, accepted=True, has_lora=True, folded=True, has_log=True)
    assert Verdict.FINISHED is judge(done)[0]
    assert Verdict.RESTARTED is judge(Evidence(same_server=False, accepted=True, has_log=True))[0]
    # A LoRA beside a log that is open: it is written, and the end is not there yet.
    open_log = Evidence(accepted=True, has_lora=True, has_log=True, ended=0)
    assert Verdict.TRAINING is judge(open_log)[0]
    assert Verdict.UNKNOWN is judge(seen)[0]
    assert Verdict.UNKNOWN is judge(Evidence(ended=0))[0]
