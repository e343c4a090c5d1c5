"""What is known to go wrong with a training, looked up on the server before it is started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aitk_nb._units import size
from aitk_nb.errors import NotFound
from aitk_nb.jobs.estimate import Estimate, estimate
from aitk_nb.jobs.preflight_report import Check, Preflight, Verdict, note, ok, problem, unknown
from aitk_nb.jobs.queue import freest_gpu, gpus_of, jobs_on
from aitk_nb.models.control_images import control_names
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import JobState
from aitk_nb.models.server import Ability, Gpu
from aitk_nb.training import presets
from aitk_nb.training.config_diff import differences
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.job_config import draft
from aitk_nb.training.plan import plan
from aitk_nb.training.presets import Preset

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend
    from aitk_nb.training.params import TrainingParams

__all__ = ["preflight"]

_VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".wmv", ".m4v", ".flv"})
_SOUNDS = frozenset({".mp3", ".wav", ".flac", ".ogg"})


def preflight(
    backend: Backend, params: TrainingParams, price_per_hour: float | None = None
) -> Preflight:
    """Look at everything that is known to go wrong with a training, and change nothing.

    Raises:
        AitkError: the server cannot be asked at all.
    """
    look = _Look(backend, params, price_per_hour)
    checks = (
        look.name(),
        *look.datasets(),
        *look.needs(),
        look.gate(),
        look.gpu(),
        look.disk(),
        look.time(),
        *look.remarks(),
    )
    return Preflight(params.name, checks, look.images, look.estimate)


class _Look:
    """One look at a server for one training; what several checks need is asked for once."""

    def __init__(
        self, backend: Backend, params: TrainingParams, price_per_hour: float | None
    ) -> None:
        self._backend = backend
        self._params = params
        self._price = price_per_hour
        self._config = draft(params).config
        self._preset = presets.load().get(params.arch)

    @cached_property
    def estimate(self) -> Estimate:
        """What earlier jobs tell of it."""
        return estimate(self._backend, self._params, self._price)

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
    def images(self) -> int | None:
        """How many images there are; None when a dataset is missing."""
        missing = any(isinstance(info, NotFound) for info in self._found.values())
        return None if missing else len(self._files)

    def name(self) -> Check:
        """Look whether the name is taken."""
        name = self._params.name
        try:
            have = self._backend.get_job(name)
        except NotFound:
            return ok("name", f"No job is called {name!r} yet.")
        status = have.status.value
        if not have.config:
            return problem("name", f"A job called {name!r} is there, and its config is no text.")
        if changes := differences(have.config, self._config):
            shown = "; ".join(changes[:3]) + ("; …" if len(changes) > 3 else "")
            return problem(
                "name",
                f"Another job is called so ({status}): {shown}. Choose another name, or start it "
                "with if_exists='resume' or 'new'.",
            )
        return note("name", f"This very job is there already ({status}); starting attaches to it.")

    def datasets(self) -> Iterator[Check]:
        """Look whether the datasets are there, and what is in them."""
        for name, info in self._found.items():
            if isinstance(info, NotFound):
                yield problem("dataset", f"{info} Upload it first.")
            elif not info.images:
                yield problem("dataset", f"{name!r} is empty. Upload pictures into it.")
            else:
                yield self._dataset(info)

    def _dataset(self, info: DatasetInfo) -> Check:
        text = f"{info.name!r} has {len(info.images)} files, {len(info.captions)} with a caption."
        if not info.captions and not self._params.trigger_word:
            return note("dataset", f"{text} Without captions and trigger word nothing calls it.")
        return ok("dataset", text)

    def needs(self) -> Iterator[Check]:
        """Look whether the architecture gets what it takes."""
        if self._preset is None:
            yield unknown(
                "needs", f"{self._params.arch!r} is not known here; nor is what it needs."
            )
            return
        found = [*self._controls(self._preset), *self._media(self._preset)]
        yield from found or [ok("needs", f"{self._preset.label} needs nothing that is missing.")]

    def _controls(self, preset: Preset) -> Iterator[Check]:
        label, needs = preset.label, preset.needs
        say = problem if preset.needs_controls else note
        entries = value_at(self._config, "config.process.0.datasets")
        if preset.control_keys and not entries[0].get(preset.control_keys[0]):
            yield say(
                "needs",
                f"{label} learns from pairs: give the names of the datasets with the control "
                "images in control_datasets.",
            )
        for entry in entries[1:]:
            if preset.control_keys and not entry.get(preset.control_keys[0]):
                yield say(
                    "needs",
                    f"{entry['folder_path']!r} has no control images: say in extra which dataset "
                    f"has them, such as 'datasets: [{{}}, {{{preset.control_keys[0]}: NAME}}]'.",
                )
        for entry in entries:
            for name in control_names(entry).values():
                yield from self._pairs(entry["folder_path"], name, say)
        if {"sample.ctrl_img", "sample.multi_ctrl_imgs"} & set(needs) and self._params.prompts:
            samples = value_at(self._config, "config.process.0.sample.samples")
            if not any(key.startswith("ctrl_img") for item in samples for key in item):
                yield note("needs", f"{label} may want a control image (ctrl_img) for samples.")

    def _pairs(self, dataset: str, controls: str, say: Callable[..., Check]) -> Iterator[Check]:
        """Look whether each image has a control image of its name, as the trainer pairs them."""
        try:
            names = self._backend.get_dataset(controls).images
        except NotFound as exc:
            yield problem("needs", f"{exc} Upload the control images first.")
            return
        images = self._found.get(dataset)
        stems = {PurePosixPath(name).stem for name in names}
        if isinstance(images, DatasetInfo):
            alone = [name for name in images.images if PurePosixPath(name).stem not in stems]
            if alone:
                yield say(
                    "needs",
                    f"{len(alone)} of {len(images.images)} images in {dataset!r} have no control "
                    f"image of their name in {controls!r}, such as {alone[0]!r}.",
                )

    def _media(self, preset: Preset) -> Iterator[Check]:
        """Look whether the kind of files is the one that the architecture learns from."""
        if not self._files:
            return
        label = preset.label
        ends = [PurePosixPath(file).suffix.lower() for file in self._files]
        videos, sounds = sum(e in _VIDEOS for e in ends), sum(e in _SOUNDS for e in ends)
        if preset.group == "audio":
            if not sounds:
                yield problem("needs", f"{label} learns from sounds, and the dataset has none.")
        elif sounds:
            yield problem("needs", f"{label} does not learn from sounds; {sounds} are there.")
        if "datasets.num_frames" in preset.needs:
            if self._params.num_frames > 1 and not videos:
                yield note("needs", f"{label} is to take several frames, and there is no video.")
        elif videos:
            yield note("needs", f"{label} makes single images; {videos} videos are there.")

    def gate(self) -> Check:
        """Look whether the weights are given out to everybody."""
        preset = self._preset
        if preset is None or self._params.base_model:
            return unknown("base model", "Whether its weights are open only its page says.")
        if not preset.gate_url:
            return ok("base model", f"The weights of {preset.label} are open.")
        told = self._backend.meta().get("hugging_face_token")
        text = f"The weights of {preset.label} are given out at {preset.gate_url}"
        if told == "set":
            return ok("base model", f"{text}; the server has a Hugging Face token for that.")
        if told == "missing":
            return problem(
                "base model",
                f"{text}, and the server has no Hugging Face token: ask for access there, and "
                "put a token into the server's settings.",
            )
        return unknown("base model", f"{text}; whether the server has a token it does not say.")

    def gpu(self) -> Check:
        """Look what else is on the GPU."""
        gpu_ids = self._params.gpu_ids or freest_gpu(self._backend)
        known = {str(gpu.index): gpu for gpu in gpus_of(self._backend)}
        wanted = gpu_ids.split(",")
        if known and (absent := [one for one in wanted if one not in known]):
            return problem(
                "GPU", f"There is no GPU {', '.join(absent)}; it has {', '.join(known)}."
            )
        free = [_card(known[one]) for one in wanted if one in known]
        text = f"GPU {gpu_ids} ({'; '.join(free)})" if free else f"GPU {gpu_ids}"
        others = self._others(gpu_ids)
        if not others:
            return ok("GPU", f"{text}: no other job is on it.")
        return note(
            "GPU",
            f"{text}: {len(others)} active job{'s' * (len(others) != 1)} there first, "
            f"{', '.join(repr(state.name) for state in others[:3])}.",
        )

    def _others(self, gpu_ids: str) -> list[JobState]:
        if Ability.LIST_JOBS not in self._backend.abilities:
            return []
        jobs = self._backend.list_jobs()
        return [state for state in jobs_on(gpu_ids, jobs) if state.name != self._params.name]

    def disk(self) -> Check:
        """Say what the checkpoints will take; how much is free no server tells."""
        planned = plan(self._params, self.images, self.estimate.checkpoint_size)
        kept = f"{planned.checkpoints} checkpoint{'s' * (planned.checkpoints != 1)}"
        if planned.disk is None:
            return unknown("disk", f"{kept}, of unknown size before the first of this kind.")
        return ok(
            "disk",
            f"About {size(planned.disk)} for {kept}, by those of an earlier job; "
            "the server does not say how much is free.",
        )

    def time(self) -> Check:
        """Say how long it takes."""
        text = str(self.estimate)
        verdict = Verdict.UNKNOWN if self.estimate.seconds is None else Verdict.OK
        return Check("time", verdict, f"{text[:1].upper()}{text[1:]}.")

    def remarks(self) -> Iterator[Check]:
        """Say which parameters fit badly together."""
        for name, remark in self._params.advice.items():
            # What the architecture takes was looked at above.
            if name not in {"arch", "num_frames"}:
                yield note(name, f"{remark[:1].upper()}{remark[1:]}.")


def _card(gpu: Gpu) -> str:
    """Return a GPU's name, with its free memory where it tells."""
    if not gpu.memory_total:
        return gpu.name
    return f"{gpu.name}, {(gpu.memory_total - gpu.memory_used) / 1024:.1f} GiB free"
