"""Checks for what is known to go wrong with a training job, before it is started."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import PurePosixPath

from aitk_nb._units import plural, size
from aitk_nb.backends.base import Backend
from aitk_nb.errors import NotFound
from aitk_nb.jobs.dataset_checks import caption_check, media_checks, taken_files, taken_kinds
from aitk_nb.jobs.estimate import EstimateReport, estimate
from aitk_nb.jobs.preflight_report import PreflightReport, note, ok, problem, unknown
from aitk_nb.jobs.queue import NO_GPU, end_remedy, freest_gpu, gpus_of, jobs_on
from aitk_nb.jobs.start import found_checks
from aitk_nb.models.checklist import Check, Checklist, Status
from aitk_nb.models.control_images import CONTROL_KEYS, control_names
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import JobDraft, JobState
from aitk_nb.models.server import Ability, Gpu
from aitk_nb.training import presets
from aitk_nb.training.advice import advice
from aitk_nb.training.config_diff import differences
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.effective import effective, effective_of
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.plan import plan
from aitk_nb.training.presets import Preset


def preflight(
    backend: Backend,
    params: TrainingParams,
    draft: JobDraft,
    price_per_hour: float | None = None,
) -> PreflightReport:
    """Check for everything that is known to go wrong with a job; change nothing.

    Args:
        backend: The server.
        params: What to train.
        draft: The job drafted from these parameters.
        price_per_hour: Price of the server, to estimate the cost.

    Raises:
        AitkError: The server does not answer.
    """
    checks = _Checks(backend, params, draft, price_per_hour)
    rows = (
        checks.name(),
        *checks.datasets(),
        *found_checks(backend, draft, checks.have),
        *checks.needs(),
        checks.gate(),
        checks.gpu(),
        checks.epochs(),
        checks.disk(),
        checks.time(),
        *checks.remarks(),
    )
    return PreflightReport(params.name, Checklist(rows), checks.files, checks.estimate)


class _Checks:
    """The checks of one job on one server; what several of them need is requested once."""

    def __init__(
        self, backend: Backend, params: TrainingParams, draft: JobDraft, price: float | None
    ) -> None:
        self._backend = backend
        self._params = params
        self._draft = draft
        self._price = price
        self._preset = presets.load().get(params.arch)
        self._entries = value_at(draft.config, "config.process.0.datasets")
        self._taken = effective(value_at(draft.config, "config.process.0"))["datasets"]

    @cached_property
    def estimate(self) -> EstimateReport:
        """Time, cost and size, judging by earlier jobs."""
        return estimate(self._backend, self._draft, self._price)

    @cached_property
    def _found(self) -> dict[str, DatasetInfo | NotFound]:
        found: dict[str, DatasetInfo | NotFound] = {}
        for name in dict.fromkeys((self._params.dataset, *self._params.extra_datasets)):
            try:
                found[name] = self._backend.get_dataset(name)
            except NotFound as exc:
                found[name] = exc
        return found

    @cached_property
    def _files(self) -> list[str]:
        there = [info for info in self._found.values() if isinstance(info, DatasetInfo)]
        return [image for info in there for image in info.images]

    @property
    def files(self) -> dict[str, int]:
        """Number of files that are trained of each dataset that is there."""
        return {
            name: len(taken_files(entry, info, self._preset))
            for entry in self._entries
            if isinstance(info := self._found.get(name := entry["folder_path"]), DatasetInfo)
        }

    @cached_property
    def have(self) -> JobState | None:
        """The job of that name, if there is one."""
        try:
            return self._backend.get_job(self._params.name)
        except NotFound:
            return None

    def name(self) -> Check:
        """Check whether the name is taken."""
        name, have = self._params.name, self.have
        if have is None:
            return ok("name", f"No job is named {name!r} yet.")
        status = have.status.value
        if have.job_type != "train":
            return problem("name", f"{have.label} exists ({status}).", "Choose another name.")
        if not have.config:
            return problem("name", f"A job named {name!r} exists, and its config is unreadable.")
        changes = differences(have.config, self._draft.config)
        if self._params.more_steps and all(one.startswith("train.steps is ") for one in changes):
            return note("name", f"This job already exists ({status}); starting goes on with it.")
        if changes:
            shown = "; ".join(changes[:3]) + ("; …" if len(changes) > 3 else "")
            remedy = "Choose another name, or start with if_exists='resume' or 'new'."
            return problem("name", f"Another job has this name ({status}): {shown}.", remedy)
        return note("name", f"This job already exists ({status}); starting attaches to it.")

    def datasets(self) -> Iterator[Check]:
        """Check whether the datasets exist, and what is in them."""
        only_images = all(taken_kinds(one, self._preset)[0] == ("image",) for one in self._entries)
        for name, info in self._found.items():
            if isinstance(info, NotFound):
                yield problem("dataset", str(info), "Upload it first.")
            elif not info.images and not only_images:
                text = f"{name!r} lists no files; the web UI hides .webm, .aac and .m4a."
                yield unknown("dataset", text)
            elif not info.images:
                yield problem("dataset", f"{name!r} is empty.", "Upload images to it.")
            else:
                trigger = self._params.trigger_word
                mine = [one for one in self._taken if one["folder_path"] == name] or [{}]
                checks = (caption_check(self._backend, one, info, trigger) for one in mine)
                yield from dict.fromkeys(checks)

    def needs(self) -> Iterator[Check]:
        """Check whether the architecture gets what it requires."""
        if self._preset is None:
            yield from self._media()
            text = f"No preset for {self._params.arch!r}: what it requires is unknown."
            yield unknown("needs", text)
            return
        found = [*self._controls(self._preset), *self._media()]
        yield from found or [ok("needs", f"{self._preset.label} has all it requires.")]

    def _controls(self, preset: Preset) -> Iterator[Check]:
        say = problem if preset.needs_controls else note
        entries = self._entries
        taken = [
            any(entry.get(key) for key in (*CONTROL_KEYS, "control_from_same_folder"))
            for entry in entries
        ]
        for key in preset.control_keys[:1]:
            if not taken[0]:
                remedy = "Set control_datasets to the names of the datasets with control images."
                yield say("needs", f"{preset.label} trains on image pairs.", remedy)
            for entry, has in list(zip(entries, taken, strict=True))[1:]:
                if not has:
                    text = f"{entry['folder_path']!r} has no control images."
                    remedy = f"Name their dataset in extra: 'datasets: [{{}}, {{{key}: NAME}}]'."
                    yield say("needs", text, remedy)
        for entry in entries:
            for name in control_names(entry).values():
                yield from self._pairs(entry["folder_path"], name, say)
        may_need = {"sample.ctrl_img", "sample.multi_ctrl_imgs"} & set(preset.needs)
        samples = value_at(effective_of(self._draft.config), "sample.samples")
        samples = samples if isinstance(samples, list) else []
        given = any(key.startswith("ctrl_img") for item in samples for key in item)
        if may_need and self._params.prompts and not given:
            text = f"{preset.label} may need a control image (ctrl_img) for samples."
            yield note("needs", text)

    def _pairs(self, dataset: str, controls: str, say: Callable[..., Check]) -> Iterator[Check]:
        """Check whether each image has a control image of its name, as the trainer pairs them."""
        try:
            stems = {PurePosixPath(one).stem for one in self._backend.get_dataset(controls).images}
        except NotFound as exc:
            yield problem("needs", str(exc), "Upload the control images first.")
            return
        info = self._found.get(dataset)
        images = info.images if isinstance(info, DatasetInfo) else ()
        if alone := [name for name in images if PurePosixPath(name).stem not in stems]:
            many = f"{len(alone)} of {plural(len(images), 'image')} in {dataset!r}"
            have = "has" if len(alone) == 1 else "have"
            text = f"no control image of the same name in {controls!r}, e.g. {alone[0]!r}."
            yield say("needs", f"{many} {have} {text}")

    def _media(self) -> Iterator[Check]:
        for entry in self._entries:
            info = self._found.get(entry.get("dataset_path") or entry["folder_path"])
            if isinstance(info, DatasetInfo) and info.images:
                yield from media_checks(entry, info, self._preset)

    def gate(self) -> Check:
        """Check whether the weights are public."""
        preset = self._preset
        if preset is None or self._params.base_model:
            return unknown("base model", "Check its Hugging Face page: its weights may be gated.")
        if not preset.gate_url:
            return ok("base model", f"The weights of {preset.label} are public.")
        text = f"The weights of {preset.label} are gated ({preset.gate_url})"
        match self._backend.meta().get("hugging_face_token"):
            case "set":
                return ok("base model", f"{text}; the server has a Hugging Face token.")
            case "missing":
                remedy = "Request access, and put a token into the server's settings."
                return problem("base model", f"{text}; the server has no token for them.", remedy)
        return unknown("base model", f"{text}; the server does not say whether it has a token.")

    def gpu(self) -> Check:
        """Check whether there is a GPU, and what else uses it."""
        gpu_ids = self._params.gpu_ids or freest_gpu(self._backend)
        gpus = gpus_of(self._backend)
        if gpus == ():
            return note("GPU", NO_GPU, "Start the server on a machine with a GPU.")
        known = {str(gpu.index): gpu for gpu in gpus or ()}
        wanted = gpu_ids.split(",")
        if known and (absent := [one for one in wanted if one not in known]):
            text = f"The server has no GPU {', '.join(absent)}; it has {', '.join(known)}."
            return problem("GPU", text)
        free = [_card(known[one]) for one in wanted if one in known]
        text = f"GPU {gpu_ids} ({'; '.join(free)})" if free else f"GPU {gpu_ids}"
        listed = Ability.LIST_JOBS in self._backend.abilities
        jobs = jobs_on(gpu_ids, self._backend.all_jobs() if listed else ())
        others = [state for state in jobs if state.name != self._params.name]
        if others:
            labels = ", ".join(state.label for state in others[:3])
            if not others[0].has_queue:
                beside = f"{text}: {labels} {'uses' if len(others) == 1 else 'use'} it. This server"
                text = f"{beside} has no queue: the job would start at once, beside that."
                return note("GPU", text, "Wait until nothing else uses the GPU.")
            text += f": used by {plural(len(others), 'active job')} first, {labels}."
            never = [one for one in others if one.never_ends and one.gpu_ids == gpu_ids]
            if never:
                text += " This job would wait in the queue and not start."
            remedies = [remedy for one in (*never, *others) if (remedy := end_remedy(one))]
            return (problem if never else note)("GPU", text, "".join(remedies[:1]))
        if not known:
            return unknown("GPU", "The server does not report its GPUs.")
        if not listed:
            return unknown("GPU", f"{text}: the server does not show whether another job uses it.")
        return ok("GPU", f"{text}: no other job uses it.")

    def disk(self) -> Check:
        """Tell the size of the checkpoints; no server says how much disk is free."""
        planned = plan(self._params, checkpoint_size=self.estimate.checkpoint_size)
        kept = plural(planned.checkpoints, "checkpoint")
        if planned.disk is None:
            return unknown("disk", f"{kept} of unknown size: no earlier job is of this kind.")
        return ok(
            "disk",
            f"About {size(planned.disk)} for {kept}, judging by an earlier job; "
            "the server does not say how much is free.",
        )

    def time(self) -> Check:
        """Tell how long it takes."""
        text = str(self.estimate)
        status = Status.UNKNOWN if self.estimate.seconds is None else Status.OK
        return Check("time", status, f"{text[:1].upper()}{text[1:]}.")

    def epochs(self) -> Check:
        """Tell how often each image is seen, by the trainer's own rules."""
        planned = plan(self._params, self.files)
        return (unknown if planned.epoch is None else ok)("epochs", f"{planned.schedule}.")

    def remarks(self) -> Iterator[Check]:
        """Tell which parameters do not fit together."""
        # What the architecture requires was checked above.
        for name, remark, fails in advice(self._params, architecture=False):
            first = remark.partition(" ")[0]
            text = remark if {"_", "."} & {*first} else f"{remark[:1].upper()}{remark[1:]}"
            yield (problem if fails else note)(name, f"{text}.")


def _card(gpu: Gpu) -> str:
    """Return a GPU's name, with its free memory if known."""
    free = f", {(gpu.memory_total - gpu.memory_used) / 1024:.1f} GiB free"
    return gpu.name + (free if gpu.memory_total else "")
