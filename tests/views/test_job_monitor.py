"""`JobMonitor`: one output that follows a job, buttons to act on it, and a page that stays."""

from __future__ import annotations

import asyncio
import io
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from PIL import Image

import aitk_nb
from aitk_nb import demo
from aitk_nb._display import session
from aitk_nb.errors import ConnectionFailed, NotFound
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.jobs.samples import Samples, fetch_samples
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, JobStatus, Sample
from aitk_nb.models.loss import LossPoint
from aitk_nb.models.server import Ability, Gpu
from aitk_nb.views import JobMonitor, JobRecord, WatchingStopped
from aitk_nb.views.monitor import panel as panel_module
from tests.views.conftest import click, instances, stored

PROMPTS = [{"prompt": "a <b>cat</b>"}, {"prompt": "a dog"}]
CONFIG = {"config": {"process": [{"sample": {"samples": PROMPTS}}]}}
RUNNING = JobState(
    "cat", JobStatus.RUNNING, step=0, total_steps=100, info="Training", config=CONFIG
)


class ScriptedJob:
    """A job that goes through given states; an exception among them is raised instead."""

    name = "cat"

    def __init__(self, *script: JobState | Exception, abilities: set[Ability]) -> None:
        self._script = list(script)
        self._abilities = abilities
        self.state = RUNNING
        self.stopped = 0
        self.stalls = False
        self.asked: list[str] = []

    def health(self, losses: LossHistory | None = None) -> Health:
        """Refresh, and tell what came of it."""
        try:
            self.refresh()
        except ConnectionFailed as exc:
            return Health(HealthState.UNREACHABLE, str(exc))
        state = HealthState.STALLED if self.stalls else HealthState.TRAINING
        return Health(state, "It stands.", can_be_repaired=self.stalls)

    def can(self, ability: Ability) -> bool:
        """Return whether its server can do it."""
        return ability in self._abilities

    def refresh(self) -> JobState:
        """Go on in the script; its last entry stays."""
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(step, Exception):
            raise step
        self.state = step
        return step

    def losses(self, since: LossHistory | None = None) -> LossHistory:
        """Return a loss for each step so far."""
        points = [LossPoint(n, 36.0 * n, 1 / n) for n in range(1, self.state.step + 1)]
        return (since or LossHistory(name=self.name)).extended("loss/loss", points)

    def log(self, tail: int | None = None) -> str:
        """Return a log with a tag in it."""
        return "<i>log</i>"

    def gpus(self) -> tuple[Gpu, ...]:
        """Return one."""
        return (Gpu(0, "RTX <4090>", 24_576, 20_480, 97, 71),)

    def samples(self, limit: int = 24) -> Samples:
        """Return those of two steps, and a film."""
        names = ("1__10_0.png", "1__20_0.png", "1__20_1.png", "1__20_2.mp4")
        made = [Sample(name, int(name[3:5]), int(name[6]), name) for name in names]
        return fetch_samples(self, made, CONFIG, limit)  # type: ignore[arg-type]

    def thumbnail(self, path: str) -> bytes:
        """Return a picture; of the second prompt half a one."""
        buffer = io.BytesIO()
        Image.new("RGB", (900, 300), "red").save(buffer, "PNG")
        return buffer.getvalue()[: 60 if "_1." in path else None]

    def open_range(self, path: str) -> Any:
        """Return no reader: the trainer has drawn nothing of the film."""
        raise NotFound("file", path)

    def save_now(self) -> None:
        """Note it, and begin with it two looks later."""
        self.asked.append("save")
        self._script = [*[replace(self.state, save_requested=True)] * 2, self.state]

    def sample_now(self) -> None:
        """Note it."""
        self.asked.append("sample")

    def repair(self, *, confirmed: bool = False) -> JobState:
        """Be marked as stopped."""
        self.asked.append(f"repair {confirmed}")
        return self.stop()

    def stop(self) -> JobState:
        """Be stopped from the next look on."""
        self.stopped += 1
        self._script = [replace(self.state, status=JobStatus.STOPPED)]
        return self.state


def scripted(*script: JobState | Exception, abilities: set[Ability] | None = None) -> Any:
    """Return a job of a server that can do everything, unless told."""
    return ScriptedJob(*script, abilities=set(Ability) if abilities is None else abilities)


def at(step: int, status: JobStatus = JobStatus.RUNNING) -> JobState:
    """Return the job at a step."""
    return replace(RUNNING, step=step, status=status)


def watch(
    monitor: JobMonitor, during: Callable[[], object] | None = None, after: float = 0.3
) -> JobRecord:
    """Watch to the end, and do something a little after it began."""

    async def run() -> JobRecord:
        if during is not None:
            asyncio.get_running_loop().call_later(after, during)
        return await monitor.watch(every=0.02)

    return asyncio.run(run())


# -- watching ----------------------------------------------------------------------------------


def test_it_ends_with_a_record_that_repeats() -> None:
    """Status, step and smoothed loss, and neither a time nor a speed."""
    before = instances()
    job = scripted(at(1), at(30), at(60), at(100, JobStatus.COMPLETED))
    monitor = JobMonitor(job)
    record = watch(monitor)

    assert ("cat", JobStatus.COMPLETED, 100, 100) == (
        record.name,
        record.status,
        record.step,
        record.total_steps,
    )
    assert record.loss == monitor.history.summary().end
    assert f"<'cat' completed at step 100, loss {record.loss:.4g}>" == repr(record)
    assert "100 of 100" in record._repr_html_()
    assert before == instances()


def test_the_record_of_a_failed_job_has_the_servers_words() -> None:
    """As text and never as HTML; a loss that nobody knows is called so."""
    record = JobRecord("<i>", JobStatus.ERROR, 0, None, math.nan, error="<script>")
    shown = record._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<i>" not in shown
    assert "unknown" in shown


@pytest.mark.parametrize("injected", [False, True])
def test_the_button_asks_and_stops_the_job(injected: bool) -> None:
    """What it does is injected, or is the job's own `stop`; *Cancel* stops nothing."""
    job = scripted(at(5))
    calls: list[str] = []

    def stop() -> None:
        calls.append("injected")
        job.stop()

    monitor = JobMonitor(job, on_stop=stop if injected else None)
    asked: list[object] = []

    def press() -> None:
        stop = panel(monitor).stop
        click(stop.ask)
        asked.extend([job.stopped, stop.question.layout.display])
        click(stop.no)
        asked.extend([job.stopped, stop.question.layout.display])
        click(stop.yes.button)

    record = watch(monitor, press)
    assert [0, "", 0, "none"] == asked
    assert (1, JobStatus.STOPPED) == (job.stopped, record.status)
    assert (["injected"] if injected else []) == calls


def panel(monitor: JobMonitor) -> Any:
    """Return what the monitor shows now."""
    assert monitor.panel is not None
    return monitor.panel


def test_a_failing_button_says_so_and_can_be_pressed_again(capsys: Any) -> None:
    """The failure stands in the error area, and after the end where the panel was."""
    seen: list[str] = []

    def fail() -> None:
        raise RuntimeError("<b>no</b>")

    job = scripted(at(5))
    monitor = JobMonitor(job, on_stop=fail)

    def look() -> None:
        here = panel(monitor)
        click(here.stop.yes.button)
        here.stop.yes.wait(5)
        seen.extend([here._area.value, here.stop.ask.disabled])
        job.stop()

    watch(monitor, look)
    text, disabled = seen
    assert "RuntimeError: &lt;b&gt;no&lt;/b&gt;" in text
    assert 'role="status"' in text
    assert not disabled
    assert "RuntimeError: <b>no</b>" in capsys.readouterr().out


def test_there_is_no_button_for_what_the_server_cannot_do() -> None:
    """Nor are losses asked for where there are none."""
    done = at(3, JobStatus.COMPLETED)
    monitor = JobMonitor(scripted(at(2), at(2), done, abilities={Ability.TRAIN}))
    seen: list[object] = []

    def look() -> None:
        here = panel(monitor)
        seen.extend([here.stop, here.save, here.sample, here.repair])
        seen.extend([here._log in here.widget.children, here._samples in here.widget.children])

    monitor._job._script = [*[at(2)] * 40, done]  # type: ignore[attr-defined]
    record = watch(monitor, look)
    assert [*[None] * 4, False, False] == seen
    assert 0 == len(monitor.history)
    assert math.isnan(record.loss)


def test_a_server_that_is_silent_for_a_moment_is_asked_again() -> None:
    """Until patience ends; the job goes on then."""
    silent = ConnectionFailed("http://x")
    done = at(100, JobStatus.COMPLETED)
    assert 100 == watch(JobMonitor(scripted(at(1), *[silent] * 8, done))).step
    before = instances()
    with pytest.raises(ConnectionFailed):
        watch(JobMonitor(scripted(at(1), *[silent] * 5, done), patience=0.0))
    assert before == instances()


def test_what_is_wrong_is_said_while_it_is_wrong() -> None:
    """A server that is away, a job that stands still; nothing when all is well again."""
    job = scripted(at(1), *[ConnectionFailed("http://x")] * 3, *[at(2)] * 20, at(3))
    monitor = JobMonitor(job)
    said: list[str] = []

    def listen() -> None:
        here = monitor.panel
        if here is None:
            return
        if not said or said[-1] != here._health.value:
            said.append(here._health.value)
        if here._health.value and "unreachable" not in here._health.value:
            job.stop()
        job.stalls = bool(job.state.step == 2)
        asyncio.get_running_loop().call_later(0.001, listen)

    watch(monitor, listen, after=0.0)
    text = " ".join(said)
    assert "unreachable: " in text
    assert "Trying again in" in text
    assert text.index("unreachable: ") < text.index("stalled: ")


def test_what_stands_beside_a_job_is_shown_and_escaped() -> None:
    """GPU, cost, log and samples by their prompts; what is no whole picture is named."""
    job = scripted(at(5))
    monitor = JobMonitor(job, price_per_hour=10.0)
    seen: dict[str, str] = {}

    def look() -> None:
        here = panel(monitor)
        if not here._log.value:
            asyncio.get_running_loop().call_later(0.01, look)
            return
        parts = {"beside": here._beside, "log": here._log, "samples": here._samples}
        seen.update({name: part.value for name, part in parts.items()})
        job.stop()

    watch(monitor, look)
    assert "GPU 0 RTX &lt;4090&gt; · 20.0 of 24 GiB · 97 % busy · 71 °C" in seen["beside"]
    assert "cost 0.40 since the first step" in seen["beside"]
    assert "&lt;i&gt;log&lt;/i&gt;" in seen["log"]
    assert 2 == seen["samples"].count("<img")
    for part in (
        "<strong>a &lt;b&gt;cat",
        "step 20",
        "1__20_2.mp4 (a video)",
        "can&#x27;t be shown",
    ):
        assert part in seen["samples"]


def test_saving_and_sampling_on_demand() -> None:
    """Each button says when it will happen, and no longer than until the server has begun."""
    job = scripted(at(5))
    monitor = JobMonitor(job)
    said: list[str] = []

    def press() -> None:
        here = panel(monitor)
        for action in (here.sample, here.save):
            click(action.button)
            action.wait(5)
            said.append(here._area.value)
        wait_for_silence()

    def wait_for_silence() -> None:
        if panel(monitor)._area.value:
            asyncio.get_running_loop().call_later(0.01, wait_for_silence)
        else:
            said.append(f"begun: {len(job._script)}")
            job.stop()

    watch(monitor, press)
    assert ["sample", "save"] == job.asked
    assert "Samples are made" in said[0]
    assert "checkpoint is written at the end of the next step" in said[1]
    assert ["begun: 1"] == said[2:]


def test_the_state_stands_in_one_place() -> None:
    """Status, step, loss and time left in the line; neither in the picture, nor once it stalls."""
    clock = iter(range(10**6))
    job = scripted(at(10), *(at(step) for step in range(12, 30)), at(30))
    monitor = JobMonitor(job, clock=lambda: float(next(clock)))
    lines: list[str] = []

    def look() -> None:
        here = panel(monitor)
        lines.append(here._line.value)
        if job.stalls and "stalled" in lines[-1]:
            job.stop()
            return
        job.stalls = len(job._script) == 1
        asyncio.get_running_loop().call_later(0.01, look)

    watch(monitor, look, after=0.1)
    assert any("running · step" in line and "loss 0." in line and " left" in line for line in lines)
    assert "stalled · step 30 of 100 · loss" in lines[-1]
    assert " left" not in lines[-1]
    assert "Training" not in lines[-1]
    assert monitor._figure is not None
    title = monitor._figure.figure.axes[0].get_title(loc="left")
    assert "Loss of cat" == title


@pytest.mark.parametrize("attended", [False, True])
def test_log_and_samples_stay_where_somebody_watches(
    attended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where notebooks are executed: a log is another one each time."""
    shown: list[Any] = []
    monkeypatch.setattr(session, "is_attended", lambda: attended)
    monkeypatch.setattr(panel_module, "display", Shown(shown))
    watch(JobMonitor(scripted(at(1), *[at(2)] * 3, at(100, JobStatus.COMPLETED))))
    data, _ = shown[-1]._repr_mimebundle_()
    assert {"text/html", "image/png", "text/plain"} == set(data)
    page = data["text/html"]
    assert 'alt="loss/loss over' in page
    assert attended == ("step 20" in page)
    if attended:
        assert "&lt;i&gt;log&lt;/i&gt;" in page
        assert "step 20" in page
        assert "last seen" not in page


class Shown:
    """Stands where IPython shows things."""

    def __init__(self, seen: list[Any]) -> None:
        self._seen = seen

    def __call__(self, view: Any, *, display_id: bool = False) -> Shown:
        """Remember what is shown."""
        self._seen.append(view)
        return self

    def update(self, view: Any) -> None:
        """Remember what is shown instead."""
        self._seen.append(view)


def test_a_zombie_is_marked_as_stopped_after_asking() -> None:
    """The button is there only when it may help, and the first press only asks."""
    job = scripted(at(5))
    monitor = JobMonitor(job)
    shown: list[str] = []

    def press() -> None:
        repair = panel(monitor).repair
        shown.append(repair.ask.layout.display)
        job.stalls = True
        asyncio.get_running_loop().call_later(0.5, confirm)

    def confirm() -> None:
        repair = panel(monitor).repair
        shown.append(repair.ask.layout.display)
        click(repair.ask)
        assert [] == job.asked
        click(repair.no)
        click(repair.ask)
        shown.append(repair.question.layout.display)
        click(repair.yes.button)

    record = watch(monitor, press)
    assert ["none", "", ""] == shown
    assert ["repair True"] == job.asked
    assert JobStatus.STOPPED is record.status


def test_cancelling_stops_watching_and_not_the_job() -> None:
    """The error says so in one line, and nothing stays open."""
    before = instances()
    job = scripted(at(5))

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0.3, task.cancel)
        await JobMonitor(job).watch(every=0.02)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert 0 == job.stopped
    assert ["Stopped watching cat; the job keeps running. Run the cell again to continue."] == (
        WatchingStopped("cat")._render_traceback_()
    )
    assert before == instances()


def test_unknown_arguments_name_the_nearest() -> None:
    """A slip of the pen is a TypeError."""
    with pytest.raises(TypeError, match="no argument 'on_stopp'; did you mean 'on_stop'"):
        JobMonitor(scripted(at(1)), on_stopp=print)  # type: ignore[call-arg]


# -- in real kernels ---------------------------------------------------------------------------

START = """
import aitk_nb
from aitk_nb.views import JobMonitor
client = aitk_nb.connect({url!r})
dataset = client.datasets.upload({photos!r}, "watched")
params = aitk_nb.TrainingParams(name={name!r}, dataset="watched", steps={steps}, resolution=64)
job = client.jobs.start(params)
"""
COUNT = "from ipywidgets.widgets.widget import _instances\nlen(_instances)"


def test_headless_it_leaves_one_picture_and_a_record(
    execute: Any, demo_server: demo.DemoServer, photos: Path
) -> None:
    """However often it drew; no widget stays, and the same run gives the same text."""
    start = START.format(url=demo_server.url, photos=str(photos), name="one", steps=60)
    watching = "await JobMonitor(job).watch(every=0.1)"
    book = execute(start, watching, COUNT, watching)
    picture, record = book.cells[1].outputs
    assert {"text/html", "image/png", "text/plain"} == set(picture["data"])
    assert "<loss of 'one'>" == picture["data"]["text/plain"]
    assert "completed" in record["data"]["text/html"]
    assert "0" == book.cells[2].outputs[0]["data"]["text/plain"]
    assert [picture["data"], record["data"]] == [one["data"] for one in book.cells[3].outputs]
    assert "model_id" not in stored(book.cells)


class Kernel:
    """A kernel whose front-end is a test."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.seen: list[dict[str, Any]] = []

    def start(self, code: str) -> str:
        """Execute a cell without waiting."""
        return str(self._client.execute(code))

    def until(self, done: Callable[[dict[str, Any]], object], seconds: float = 120) -> Any:
        """Read messages until one is what is waited for, and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self._client.get_iopub_msg(timeout=seconds)
            self.seen.append(message)
            if done(message):
                return message
        raise AssertionError("it did not come")

    def idle(self, cell: str) -> list[dict[str, Any]]:
        """Wait until a cell has ended, and return its messages."""
        self.until(
            lambda one: (
                one["msg_type"] == "status"
                and one["content"]["execution_state"] == "idle"
                and one["parent_header"]["msg_id"] == cell
            )
        )
        return [one for one in self.seen if one["parent_header"].get("msg_id") == cell]

    def click(self, comm_id: str) -> None:
        """Send what a click sends."""
        data = {"method": "custom", "content": {"event": "click"}}
        content = {"comm_id": comm_id, "data": data}
        channel = self._client.shell_channel
        channel.send(self._client.session.msg("comm_msg", content))


@pytest.fixture
def no_job_goes_on(demo_server: demo.DemoServer) -> Iterator[None]:
    """A job that a failed test leaves would keep all others waiting."""
    yield
    with aitk_nb.connect(demo_server.url) as client:
        for job in client.jobs.list():
            job.stop()


@pytest.fixture
def kernel() -> Iterator[tuple[Any, Kernel]]:
    """A running kernel and its manager."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield manager, Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.mark.usefixtures("no_job_goes_on")
def test_interrupt_and_button_in_a_live_kernel(
    kernel: Any, demo_server: demo.DemoServer, photos: Path
) -> None:
    """The interrupt ends the cell in one line while the job goes on; a click stops the job."""
    manager, front = kernel
    start = START.format(url=demo_server.url, photos=str(photos), name="long", steps=100_000)
    front.idle(front.start(start))

    cell = front.start("await JobMonitor(job).watch(every=0.2)")
    front.until(lambda one: one["msg_type"] == "display_data")
    manager.interrupt_kernel()
    messages = front.idle(cell)
    error = next(one["content"] for one in messages if one["msg_type"] == "error")
    assert ["Stopped watching long; the job keeps running."] == [
        line.split(" Run the cell")[0] for line in error["traceback"]
    ]
    last = [one for one in messages if one["msg_type"] == "update_display_data"][-1]
    assert {"text/html", "image/png", "text/plain"} == set(last["content"]["data"])
    page = last["content"]["data"]["text/html"]
    assert re.search(
        r"long was (queued|running) at step \d+ of 100000 when last seen, 20\d\d-", page
    )
    assert " left" not in page
    with aitk_nb.connect(demo_server.url) as client:
        looks = client.jobs.get("long").watch(every=0.1, timeout=30)
        assert next(one for one in looks if one.step > 0).status is JobStatus.RUNNING

    front.seen.clear()
    cell = front.start("await JobMonitor(job).watch(every=0.2)")
    front.until(lambda one: one["msg_type"] == "display_data")
    states = {
        one["content"]["comm_id"]: one["content"]["data"]["state"]
        for one in front.seen
        if one["msg_type"] == "comm_open"
    }
    buttons = [key for key, state in states.items() if state.get("_model_name") == "ButtonModel"]
    by_words = {states[button]["description"]: button for button in buttons}
    front.click(by_words["Stop the job …"])
    front.click(by_words["Yes, stop it"])
    messages = front.idle(cell)
    result = next(one["content"]["data"] for one in messages if one["msg_type"] == "execute_result")
    assert "stopped" in result["text/html"]
    assert 1 == len([one for one in messages if one["msg_type"] == "display_data"])
    with aitk_nb.connect(demo_server.url) as client:
        assert client.jobs.get("long").state.status is JobStatus.STOPPED
    assert json.dumps(result)


def test_a_loss_that_became_nan_is_told_in_the_record() -> None:
    """The trainer writes it as 0."""
    job = scripted(at(60), at(100, JobStatus.COMPLETED))
    points = [LossPoint(n, 36.0 * n, 0.4 * (n < 51)) for n in range(1, 101)]
    job.losses = lambda since=None: LossHistory({"loss/loss": points}, "cat")
    monitor = JobMonitor(job)
    record = watch(monitor)
    assert "<'cat' completed at step 100, loss diverged at step 51>" == repr(record)
    assert math.isnan(record.loss)
