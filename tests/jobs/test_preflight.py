"""Before a training: checks, estimates, the choice of a GPU, and requests that are only listed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from aitk_nb.backends.webui import parsing
from aitk_nb.errors import (
    AitkError,
    BadInput,
    JobConflict,
    NotFound,
    NotSupported,
    UnexpectedReply,
)
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.dataset_checks import caption_check
from aitk_nb.jobs.estimate import EstimateReport
from aitk_nb.jobs.preflight_report import PreflightReport
from aitk_nb.jobs.progress import seconds_per_step
from aitk_nb.jobs.queue import freest_gpu, queue_position
from aitk_nb.jobs.start import describe
from aitk_nb.models.checklist import Status
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import JobStatus
from aitk_nb.models.server import Ability, Gpu
from aitk_nb.training.effective import effective
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from tests.scripted import PARAMS, Clock, ScriptedBackend, there

QUEUED, RUNNING, COMPLETED = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.COMPLETED


class Furnished(ScriptedBackend):
    """A scripted server with pictures, GPUs and settings."""

    def __init__(self, *images: str, token: str = "missing", **options: Any) -> None:
        super().__init__(**options)
        self.images = images or ("a.png", "b.png")
        self.captions: Mapping[str, str] = {"a.png": "a cat"}
        self.cards: tuple[Gpu, ...] = (Gpu(0, "Small", 8192, 1024), Gpu(1, "Large", 24576, 2048))
        self.token = token

    def get_dataset(self, name: str) -> DatasetInfo:
        """Return the pictures."""
        super().get_dataset(name)
        return DatasetInfo(name, self.images, self.captions)

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the GPUs."""
        return self.cards

    def meta(self) -> Mapping[str, str]:
        """Return whether there is a token, where the test says so."""
        return {"hugging_face_token": self.token} if self.token else {}


def jobs(backend: ScriptedBackend) -> Jobs:
    """Return the namespace on a scripted server and a scripted clock."""
    clock = Clock()
    return Jobs(backend, sleep=clock.sleep, clock=clock)


def params(**fields: Any) -> TrainingParams:
    """Return what most tests start, with these fields."""
    return TrainingParams(**{**PARAMS.model_dump(), **fields})


def found(report: PreflightReport, about: str) -> tuple[Status, str]:
    """Return the first check of that name."""
    return next(
        (c.status, f"{c.message} {c.remedy}".strip()) for c in report.checks if c.name == about
    )


# -- checks ---------------------------------------------------------------------------------------


def test_all_is_well() -> None:
    """Nothing is changed, and each check says what it found."""
    backend = Furnished()
    report = jobs(backend).preflight(PARAMS)

    assert report.ok
    assert [] == backend.calls
    assert ["name", "dataset", "needs", "base model", "GPU", "epochs", "disk", "time"] == [
        check.name for check in report.checks
    ][:8]
    assert (Status.OK, "'cats' has 2 files, 1 with a caption.") == found(report, "dataset")
    assert {"cats": 2} == report.files


@pytest.mark.parametrize(
    ("fields", "about", "says"),
    [
        ({"dataset": "dogs"}, "dataset", "no dataset named 'dogs'. It has: cats. Upload it first."),
        ({"extra_datasets": "dogs"}, "dataset", "no dataset named 'dogs'"),
        ({"arch": "flux_kontext"}, "needs", "trains on image pairs. Set control_datasets"),
        ({"arch": "flux"}, "base model", "no token for them. Request access"),
        ({"arch": "ace_step_15"}, "needs", "finds no sound in 'cats', only 2 images"),
        ({"gpu_ids": "7"}, "GPU", "The server has no GPU 7; it has 0, 1."),
    ],
)
def test_what_would_fail_is_a_problem(fields: dict[str, Any], about: str, says: str) -> None:
    """It says what to do."""
    report = jobs(Furnished()).preflight(params(**fields))

    assert not report.ok
    assert about in {check.name for check in report.problems}
    assert any(says in str(check) for check in report.problems)


class WithEndings(Furnished):
    """A server that tells captions of other endings."""

    abilities = Furnished.abilities | {Ability.EDIT_DATASETS}

    def __init__(self, **captions: Mapping[str, str]) -> None:
        super().__init__()
        self.captions = captions.get("txt", {})
        self.by_ending = {f".{ending}": texts for ending, texts in captions.items()}

    @property
    def dataset_tools(self) -> SimpleNamespace:
        """Return what answers for other endings."""
        return SimpleNamespace(captions=lambda _name, _images, end: self.by_ending.get(end, {}))


BOTH = {"a.png": "x", "b.png": "y"}


@pytest.mark.parametrize(
    ("entry", "there", "status", "says"),
    [
        ({}, {"txt": BOTH}, Status.OK, "'cats' has 2 files, 2 with a caption."),
        (
            {"caption_ext": "caption"},
            {"caption": BOTH, "txt": {"a.png": "tags"}},
            Status.OK,
            "'cats' has 2 files, 2 with a caption in a file that ends in .caption, as the job reads"
            " them (caption_ext).",
        ),
        (
            {"caption_ext": ".caption"},
            {"txt": BOTH},
            Status.WARNING,
            "0 with a caption in a file that ends in .caption, as the job reads them (caption_ext)."
            " It does not read 2 in .txt files. Set caption_ext to 'txt'.",
        ),
        (
            {},
            {"caption": BOTH, "json": {"a.png": "{}"}},
            Status.WARNING,
            "0 with a caption. It does not read 2 in .caption files and 1 in .json files. Upload"
            " them as .txt files, which aitk-nb dataset fix writes, or set caption_ext to"
            " 'caption'.",
        ),
        (
            {"caption_ext": "json"},
            {"json": BOTH},
            Status.WARNING,
            "The trainer takes all of such a file as the caption, braces and keys included.",
        ),
        (
            {"caption_type": "txt"},
            {"txt": BOTH},
            Status.WARNING,
            "0 with a caption in a file that ends in txt, as the job reads them (caption_ext). It"
            " does not read 2 in .txt files.",
        ),
        (
            {"default_caption": "a cat"},
            {"txt": {"a.png": "x"}},
            Status.OK,
            "1 with a caption; the others get default_caption, 'a cat'.",
        ),
        ({"caption_ext": None}, {"txt": BOTH}, Status.PROBLEM, "training fails at the first"),
        (
            {"caption_ext": "caption"},
            {"caption": BOTH, "txt": BOTH},
            Status.UNKNOWN,
            "The server does not say how many captions of 'cats' are in .caption files",
        ),
    ],
)
def test_what_a_job_reads_is_held_against_what_is_there(
    entry: dict[str, Any], there: dict[str, Mapping[str, str]], status: Status, says: str
) -> None:
    """By the ending that it asks for, as the trainer takes it."""
    backend = WithEndings(**there)
    info = backend.get_dataset("cats")
    (taken,) = effective({"datasets": [{"folder_path": "cats", **entry}]})["datasets"]
    check = caption_check(backend, taken, info, "")  # type: ignore[arg-type]
    assert (status, says in f"{check.message} {check.remedy}") == (check.status, True), str(check)


def test_a_job_of_other_endings_is_told_so_by_the_preflight() -> None:
    """A trigger word makes up for no caption that the job does not read."""
    backend = WithEndings(txt=BOTH)
    given = params(trigger_word="sks", extra="datasets: [{caption_ext: caption}]")
    status, text = found(jobs(backend).preflight(given), "dataset")
    assert Status.WARNING == status
    assert "It does not read 2 in .txt files" in text


def test_an_empty_dataset_is_a_problem() -> None:
    """The trainer would find it minutes later."""
    report = jobs(ScriptedBackend()).preflight(PARAMS)
    assert (Status.PROBLEM, "'cats' is empty. Upload images to it.") == found(report, "dataset")
    assert {"cats": 0} == report.files


def test_pictures_without_words_are_remarked_on() -> None:
    """Unless a trigger word calls the LoRA."""
    backend = Furnished()
    backend.captions = {}
    assert Status.WARNING is found(jobs(backend).preflight(PARAMS), "dataset")[0]
    assert Status.OK is found(jobs(backend).preflight(params(trigger_word="zwx")), "dataset")[0]


def test_control_images_that_are_said_are_taken() -> None:
    """In the advanced YAML; samples may want one too."""
    given = params(
        arch="flux_kontext",
        extra="datasets: [{control_path: /data/pairs}]\nsample: {samples: [{ctrl_img: /x.png}]}",
        prompts="a cat",
    )
    assert Status.OK is found(jobs(Furnished()).preflight(given), "needs")[0]


WAN = {"arch": "wan22_14b:t2v"}
NEW = {"arch": "zz_new", "base_model": "x/y"}
AUTO = {"extra": "datasets: [{auto_frame_count: true}]"}


@pytest.mark.parametrize(
    ("images", "fields", "verdict", "says"),
    [
        ("a.mp4 b.mp4 c.mp4", WAN, Status.PROBLEM, "no image in 'cats', only 3 videos: num_fr"),
        ("a.mp4", WAN | {"num_frames": 1}, Status.PROBLEM, "only 1 video: num_frames is 1. Set"),
        ("a.mp4", WAN | {"num_frames": 33}, Status.OK, "has all it requires"),
        ("a.mp4", WAN | AUTO, Status.OK, "has all it requires"),
        ("a.mp4 a.png", WAN, Status.WARNING, "skips 1 video in 'cats': num_frames is 1."),
        ("a.mp4 a.png", WAN | {"num_frames": 33}, Status.OK, "has all it requires"),
        ("a.png", WAN | {"num_frames": 33}, Status.WARNING, "has no video, and num_frames is 33"),
        ("a.wav", WAN | {"num_frames": 33}, Status.PROBLEM, "finds no image or video in 'cats'"),
        ("a.MP4", {"arch": "flux"}, Status.PROBLEM, "num_frames is 1. Upload images to it."),
        ("a.mkv", {"num_frames": 9}, Status.WARNING, "single images, and num_f"),
        ("a.wav", {"arch": "flux"}, Status.PROBLEM, "only 1 sound"),
        ("a.wav a.png", {}, Status.WARNING, "skips 1 sound in 'cats'"),
        ("a.wav", {"arch": "ace_step_15"}, Status.OK, "has all it requires"),
        ("a.m4a", {"arch": "ace_step_15"}, Status.OK, "has all it requires"),
        ("a.webp b.flv", {"arch": "ace_step_15"}, Status.PROBLEM, "only 1 image and 1 video"),
        ("a.mp3 a.png", {"arch": "ace_step_15"}, Status.WARNING, "skips 1 image"),
        ("a.png", NEW, Status.UNKNOWN, "what it requires is unknown"),
        ("a.mp4", NEW, Status.PROBLEM, "finds no image in 'cats'"),
        ("a.mp4", NEW | {"num_frames": 5}, Status.UNKNOWN, "what it requires is unknown"),
        ("a.wav", NEW, Status.UNKNOWN, "It may train on audio"),
    ],
)
def test_what_the_trainer_would_not_find_is_a_problem(
    images: str, fields: dict[str, Any], verdict: Status, says: str
) -> None:
    """It takes images, with several frames videos too, and of an audio model only sounds."""
    report = jobs(Furnished(*images.split())).preflight(params(**fields))
    status, text = found(report, "needs")
    assert status is verdict
    assert says in text
    assert report.ok is (verdict is not Status.PROBLEM)


def test_each_dataset_is_judged_by_its_own_entry() -> None:
    """One may have frames where another one has none."""
    backend = Furnished("a.mp4", datasets=("cats", "dogs"))
    fields = {"extra_datasets": "dogs", "extra": "datasets: [{num_frames: 33}, {num_frames: 1}]"}
    report = jobs(backend).preflight(params(**WAN, **fields))
    assert ["The trainer finds no image in 'dogs', only 1 video: num_frames is 1."] == [
        check.message for check in report.problems
    ]


def test_files_that_no_server_lists_may_be_there() -> None:
    """An empty list of a job that takes videos or sounds is no proof: .webm and .m4a are hidden."""
    for fields in (WAN | {"num_frames": 33}, {"arch": "ace_step_15"}):
        report = jobs(ScriptedBackend()).preflight(params(**fields))
        assert Status.UNKNOWN is found(report, "dataset")[0]


@pytest.mark.parametrize(
    ("token", "fields", "verdict"),
    [
        ("set", {"arch": "flux"}, Status.OK),
        ("missing", {"arch": "flux"}, Status.PROBLEM),
        ("", {"arch": "flux"}, Status.UNKNOWN),
        ("missing", {"arch": "flux", "base_model": "my/copy"}, Status.UNKNOWN),
        ("missing", {}, Status.OK),
    ],
)
def test_a_gated_model_wants_a_token(token: str, fields: dict[str, Any], verdict: Status) -> None:
    """Of the server; whether it may read the model only the start tells."""
    report = jobs(Furnished(token=token)).preflight(params(**fields))
    assert verdict is found(report, "base model")[0]


def test_a_name_that_is_taken_is_told() -> None:
    """The same job, another one, and one that nobody can read."""
    backend = Furnished()
    there(backend, status=COMPLETED)
    assert (Status.WARNING, True) == (
        found(jobs(backend).preflight(PARAMS), "name")[0],
        "attaches" in found(jobs(backend).preflight(PARAMS), "name")[1],
    )
    verdict, text = found(jobs(backend).preflight(params(steps=7)), "name")
    assert (Status.PROBLEM, True) == (verdict, "train.steps is 100, not 7" in text)
    backend.jobs["cat"] = replace(backend.jobs["cat"], config={})
    assert Status.PROBLEM is found(jobs(backend).preflight(PARAMS), "name")[0]


def test_a_job_on_the_gpu_is_told() -> None:
    """It comes first."""
    backend = Furnished()
    there(backend, params(name="dog", gpu_ids="1"), status=RUNNING)
    assert Status.OK is found(jobs(backend).preflight(params(gpu_ids="0")), "GPU")[0]
    verdict, text = found(jobs(backend).preflight(params(gpu_ids="0,1")), "GPU")
    assert (Status.WARNING, True) == (verdict, "'dog'" in text)


def test_a_server_without_a_gpu_is_told() -> None:
    """Whatever GPU is named; that none is listed differs from a list that can't be had."""

    class Silent(Furnished):
        abilities = Furnished.abilities - {Ability.GPUS}

    class Mute(Furnished):
        def gpus(self) -> tuple[Gpu, ...]:
            raise UnexpectedReply("list its GPUs", "no list of GPUs")

    bare = Furnished()
    bare.cards = ()
    for given in (PARAMS, params(gpu_ids="0"), params(gpu_ids="0,1"), params(gpu_ids="mps")):
        verdict, text = found(jobs(bare).preflight(given), "GPU")
        assert Status.WARNING is verdict
        assert "reports no GPU" in text
        assert "whether it works is unknown" in text
    for backend in (Silent(), Mute()):
        verdict, text = found(jobs(backend).preflight(PARAMS), "GPU")
        assert (Status.UNKNOWN, "The server does not report its GPUs.") == (verdict, text)


@pytest.mark.parametrize(
    ("body", "gpus"),
    [
        ({"hasNvidiaSmi": False, "isMac": False, "gpus": [], "error": "not found"}, 0),
        ({"hasNvidiaSmi": True, "gpus": [{"index": 0, "name": "RTX"}]}, 1),
        ({"hasNvidiaSmi": False, "isMac": True, "gpus": [{"index": 0, "name": "M3"}]}, 1),
        ({"hasNvidiaSmi": True}, None),
        ([], None),
        ({"gpus": "none"}, None),
    ],
)
def test_no_gpu_is_only_what_the_server_says(body: Any, gpus: int | None) -> None:
    """An answer in another form is no answer."""
    if gpus is None:
        with pytest.raises(UnexpectedReply):
            parsing.gpus(body)
    else:
        assert gpus == len(parsing.gpus(body))


def test_the_report_is_safe_html_and_json() -> None:
    """A server's names are text; machines read the same."""
    backend = Furnished(datasets=("<b>cats",))
    report = jobs(backend).preflight(params(dataset="<b>cats", name="<i>x"))

    assert "<b>cats" not in report._repr_html_()
    assert "<i>x" not in report._repr_html_()
    assert json.loads(json.dumps(report.as_dict()))["ok"] is True


# -- estimates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speed", "seconds"),
    [
        ("2.31 sec/iter", 2.31),
        ("4 iter/sec", 0.25),
        ("0.00 iter/sec", None),
        ("", None),
        ("fast", None),
        ("1.2.3 iter/sec", None),
    ],
)
def test_the_servers_words_on_speed(speed: str, seconds: float | None) -> None:
    """Only what it says in its own form."""
    assert seconds == seconds_per_step(speed)


def test_time_and_money_come_from_jobs_of_the_same_kind() -> None:
    """The median; another architecture, resolution or batch tells nothing."""
    backend = Furnished()
    for number, (speed, fields) in enumerate(
        [
            ("2.00 sec/iter", {}),
            ("4.00 sec/iter", {"learning_rate": 1e-5}),
            ("9.00 sec/iter", {"rank": 4}),
            ("99.00 sec/iter", {"arch": "flux"}),
            ("98.00 sec/iter", {"resolution": 256}),
            ("97.00 sec/iter", {"batch_size": 4}),
            ("", {}),
        ]
    ):
        there(backend, params(name=f"job{number}", **fields), status=COMPLETED, speed=speed)

    said = jobs(backend).estimate(params(steps=900), price_per_hour=2)
    assert (4.0, 3600.0, 2.0) == (said.per_step, said.seconds, said.money)
    assert {"job0", "job1", "job2"} == set(said.jobs)
    assert "about 1 h 00 min (4 s per step in 3 earlier jobs), costing 2.00 at 2.00" in str(said)


def test_nothing_is_invented() -> None:
    """Without an earlier job nothing is known, nor on a server that lists none."""
    backend = Furnished()
    said = jobs(backend).estimate(PARAMS, price_per_hour=2)
    assert (None, None, None) == (said.seconds, said.money, said.checkpoint_size)
    assert str(said).startswith("unknown")
    backend.abilities = frozenset(Ability) - {Ability.LIST_JOBS}  # type: ignore[misc]
    assert EstimateReport(price_per_hour=2) == jobs(backend).estimate(PARAMS, price_per_hour=2)


def test_the_size_comes_from_a_job_with_the_same_network() -> None:
    """And becomes what the checkpoints take."""
    backend = Furnished()
    there(backend, params(name="dog"), status=COMPLETED)
    backend.files = {"dog.safetensors": b"x" * 5000, "optimizer.pt": b"x" * 90_000}

    assert 5000 == jobs(backend).estimate(PARAMS).checkpoint_size
    assert jobs(backend).estimate(params(rank=7)).checkpoint_size is None
    verdict, text = found(jobs(backend).preflight(params(steps=1000)), "disk")
    assert (Status.OK, True) == (verdict, "20.0 kB for 4 checkpoints" in text)


# -- the GPU and the queue ------------------------------------------------------------------------


def test_the_freest_gpu_is_taken_when_none_is_told() -> None:
    """By free memory; a job that has not loaded its model yet makes a GPU look free."""
    backend = Furnished()
    assert "1" == freest_gpu(backend)
    there(backend, params(name="dog", gpu_ids="1"), status=QUEUED)
    assert "0" == freest_gpu(backend)
    assert "0" == jobs(backend).start(PARAMS).state.gpu_ids
    assert "1" == jobs(backend).start(params(name="told", gpu_ids="1")).state.gpu_ids
    backend.cards = ()
    assert "0" == freest_gpu(backend)


def test_a_server_that_cannot_tell_its_gpus_trains_all_the_same() -> None:
    """On the first one, as the web UI's form would."""

    class Mute(Furnished):
        def gpus(self) -> tuple[Gpu, ...]:
            raise UnexpectedReply("list its GPUs", "a web page")

    assert "0" == jobs(Mute()).start(PARAMS).state.gpu_ids
    assert Status.OK is found(jobs(Mute()).preflight(params(name="dog")), "dataset")[0]


def test_a_resumed_job_stays_on_its_gpu() -> None:
    """Unless another one is told."""
    backend = Furnished()
    there(backend, params(gpu_ids="0"), status=JobStatus.STOPPED, step=50)
    job = jobs(backend).start(PARAMS, if_exists="resume")

    assert ["start cat"] == backend.calls
    assert "0" == job.state.gpu_ids
    started = "resumed at step 0: the server lists no checkpoint"
    assert describe(job) == f"{started}; number 1 in the queue of GPU 0"


def test_the_place_in_the_queue_is_told() -> None:
    """With what runs, what waits before it, and whether the queue moves at all."""
    backend = Furnished()
    there(backend, params(name="run", gpu_ids="0"), status=RUNNING)
    for place, name in enumerate(["second", "first"]):
        given = params(name=name, gpu_ids="0")
        there(backend, given, status=QUEUED, queue_rank=-place)
    there(backend, params(name="elsewhere", gpu_ids="1"), status=QUEUED)
    job = jobs(backend).start(params(gpu_ids="0"))
    backend.jobs["cat"] = replace(backend.jobs["cat"], queue_rank=5)

    place = jobs(backend).get("cat").queue_position()
    assert place is not None
    assert (3, ("run",), ("first", "second")) == (place.number, place.running, place.before)
    assert (
        "number 3 in the queue of GPU 0, where 'run' is running; before it: 'first', 'second'"
        == str(place)
    )
    backend.queue_is_running = False
    assert str(queue_position(backend, backend.jobs["cat"])).endswith("the queue is stopped")
    assert jobs(backend).get("run").queue_position() is None
    assert "GPU 0" in describe(job)


def test_a_start_that_cannot_tell_its_place_is_a_start_all_the_same() -> None:
    """What was done is done; the words are missing."""

    class Silent(Furnished):
        def queue_runs(self, state: object) -> bool:
            raise AitkError("no answer")

    job = jobs(Silent()).start(PARAMS)
    assert "created and started on GPU 1" == describe(job)


# -- several, and none at all ---------------------------------------------------------------------


def test_several_are_started_in_order_and_once() -> None:
    """Calling it again starts nothing; the GPUs are shared out."""
    backend = Furnished()
    many = [params(name=name) for name in ("a", "b", "c")]
    started = jobs(backend).start_all(many)
    again = jobs(backend).start_all(many)

    assert ["a", "b", "c"] == [job.name for job in started] == [job.name for job in again]
    assert 3 == sum(call.startswith("create") for call in backend.calls)
    assert 3 == sum(call.startswith("start") for call in backend.calls)
    assert ["1", "0", "1"] == [job.state.gpu_ids for job in started]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": "a"}, BadInput),
        ({"name": "taken", "steps": 7}, JobConflict),
        ({"name": "b", "dataset": "dogs"}, NotFound),
    ],
)
def test_one_that_cannot_be_started_starts_none(
    fields: dict[str, Any], error: type[Exception]
) -> None:
    """All are looked at first."""
    backend = Furnished()
    there(backend, params(name="taken"), status=COMPLETED)
    with pytest.raises(error):
        jobs(backend).start_all([params(name="a"), params(**fields)])

    assert [] == backend.calls


def test_a_server_without_dry_runs_says_so() -> None:
    """Nothing is started instead."""
    backend = Furnished()
    with pytest.raises(NotSupported, match="without sending"):
        jobs(backend).plan(PARAMS)
    assert [] == backend.calls


def test_epochs_are_told_and_what_the_trainer_silently_does() -> None:
    """Words of a config stay as they are written, and an absent architecture is named."""
    config = draft(params(steps=6)).config
    process = config["config"]["process"][0]
    process["train"]["gradient_accumulation_steps"] = 4
    del process["model"]["arch"]
    report = jobs(Furnished()).preflight(TrainingParams.from_config(config, name="another"))
    assert (Status.OK, "6 steps · 6 steps per epoch · 1 epoch.") == found(report, "epochs")
    assert "takes the model as sd1." in found(report, "arch")[1]
    assert found(report, "gradient_accumulation")[1].startswith("gradient_accumulation_steps is 4")
