"""`WarmStart`: the LoRA that a job begins with: found, checked, and sent if it is a local file.

The trainer does not check it: it prints that the file is missing and trains from nothing, and cuts
another rank or fills it up with zeros (`get_latest_save_path` in AI Toolkit's
jobs/process/BaseSDTrainProcess.py, `load_weights` in its toolkit/network_mixins.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitk_nb._files import sha256
from aitk_nb._progress import reporting
from aitk_nb.backends.base import Backend, Upload
from aitk_nb.errors import BadInput, NotFound, NotSupported
from aitk_nb.jobs.preflight_report import note, ok, problem
from aitk_nb.jobs.resume_point import resume_point
from aitk_nb.lora.api import LoraReport, inspect_lora
from aitk_nb.models.checklist import Check
from aitk_nb.models.job import JobDraft, JobState, JobStatus, RemoteFile
from aitk_nb.models.server import Ability, Flavour
from aitk_nb.training import presets
from aitk_nb.training.config_paths import MISSING, value_at
from aitk_nb.training.effective import effective_of

WORD = "config.process.0.network.init_lora"

_STEP = re.compile(r"_(\d{9,})\.safetensors$", re.ASCII)
_VERSIONS: Mapping[str, str] = {
    **dict.fromkeys(("flux", "flex1", "flex2"), "flux.1"),
    "flux_kontext": "flux.1_kontext",
    "sdxl": "sdxl_1.0",
    "sd1": "sd_1.5",
    "sd15": "sd_1.5",
    "sd2": "sd_2.1",
    "sd3": "sd_3",
    "wan21": "wan_2.1",
    "wan21_i2v": "wan_2.1",
    "wan22_14b": "wan_2.2_14b",
    "wan22_5b": "wan_2.2_5b",
    "hidream": "hidream_i1",
    **{f"boogu_image{end}": f"boogu_image{end}.0.1" for end in ("", "_edit")},
}
"""What a LoRA records of its base, where that is not the architecture's own name."""


@dataclass(frozen=True)
class WarmStart:
    """The `init_lora` of one job on one server."""

    backend: Backend
    config: Mapping[str, Any]

    def path(self, *, send: bool = True) -> str:
        """Return the path on the server of the LoRA that is meant, once it is found to fit.

        Args:
            send: Whether to send a local file; otherwise the name that it would get is returned.

        Raises:
            BadInput: It does not exist, or is not for such a job.
            NotFound: The server has no such job.
            NotSupported: It is a local file, and the server takes none.
        """
        word = str(value_at(self.config, WORD))
        if not re.search(r"[/\\]", word) and not word.lower().endswith(".safetensors"):
            return self._of_job(word)
        if path := self._of_server(word):
            return path
        local = Path(word).expanduser()
        if not local.is_file():
            raise BadInput(
                f"init_lora: there is no LoRA {word} among those that the server lists, and no "
                "such file here. Name a job's checkpoint as JOB or JOB@STEP, or another file."
            )
        return self._sent(local, send=send)

    def _of_job(self, word: str) -> str:
        name, at, step = word.rpartition("@")
        if not at or not step.isdecimal():
            name, step = word, ""
        state = self.backend.get_job(name)
        files: dict[int, RemoteFile] = {}
        for file in self.backend.list_files(state):
            if match := _STEP.search(file.name):
                files[int(match[1])] = file
            elif file.name == f"{name}.safetensors":
                # Of a job that was started again, it is older than the numbered ones may be.
                files[state.step if state.status is JobStatus.COMPLETED else -1] = file
        if found := files.get(int(step) if step else max(files, default=0)):
            return self._checked(found.path, found.size, state)
        steps = ", ".join(str(one) for one in sorted(files) if one >= 0)
        which = f"no checkpoint of step {step}" if step else "no checkpoint yet"
        have = f" It has those of {steps}: init_lora={f'{name}@{max(files)}'!r}." if steps else ""
        raise BadInput(f"init_lora: job {name!r} has {which}.{have}")

    def _of_server(self, word: str) -> str:
        """Return the path if the server lists it, as the LoRA of a job or as one of its own."""
        try:
            state = self.backend.get_job(re.split(r"[/\\]", word)[-2:][0])
            sizes = {file.path: file.size for file in self.backend.list_files(state)}
        except NotFound:
            state, sizes = None, {}
        if word in sizes:
            return self._checked(word, sizes[word], state)
        # The server sends no file of its folder of LoRAs, so that it is not known what is in it.
        listed = self.backend.loras.list() if Ability.LORAS in self.backend.abilities else ()
        return word if any(lora.path == word for lora in listed) else ""

    def _sent(self, local: Path, *, send: bool) -> str:
        def read(start: int, length: int) -> bytes:
            with local.open("rb") as file:
                file.seek(start)
                return file.read(length)

        size = local.stat().st_size
        self._check(inspect_lora(read, size=size, name=local.name))
        if Ability.LORAS not in self.backend.abilities:
            raise NotSupported(
                "take a local LoRA for init_lora",
                "dated web UI" if self.backend.flavour is Flavour.WEBUI else "Gradio",
                "Name a job's checkpoint as JOB@STEP, or copy the file into the folder of a job "
                "on the server and give its path there.",
            )
        # Of the same name is the same content, so that it is sent once.
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", local.stem)
        name = f"{stem}-{sha256(local)[:12]}.safetensors"
        there = {lora.name: lora for lora in self.backend.loras.list() if not lora.job}
        if (lora := there.get(name)) and lora.size == size:
            return lora.path
        if not send:
            return name
        with reporting("auto", "uploading") as report:
            return self.backend.loras.upload(Upload(local, name, size), report).path

    def _checked(self, path: str, size: int, state: JobState | None) -> str:
        with self.backend.open_range(path) as read:
            report = inspect_lora(read, size=size, name=re.split(r"[/\\]", path)[-1])
        self._check(report, effective_of(state.config) if state else {})
        return path

    def _check(self, report: LoraReport, source: Mapping[str, Any] = MISSING) -> None:
        """Raise `BadInput` if the LoRA is not for such a job."""
        process = effective_of(self.config)
        network, arch = process.get("network") or {}, str(value_at(process, "model.arch"))
        kind = "LoKr" if str(network.get("type")).lower() == "lokr" else "LoRA"
        if report.problems or kind not in report.kind.split(" + "):
            why = report.problems or [f"it is a {report.kind}, and the job trains a {kind}."]
            raise BadInput(f"init_lora: {report.path} does not fit: {why[0]}")
        theirs = value_at(source, "model.arch")
        theirs = _arch_of(report.base_model, arch) if theirs is MISSING else theirs
        if theirs != arch:
            remedy = f"Set arch={theirs!r}, or choose another LoRA"
            raise BadInput(f"init_lora: {report.path} is for {theirs}, not for {arch}. {remedy}.")
        rank, ranks = int(network.get("linear") or 0), report.ranks
        if kind == "LoRA" and ranks and rank not in ranks:
            have, lost = " and ".join(map(str, ranks)), "cut it" if rank < ranks[0] else "pad it"
            text = f"init_lora: {report.path} has rank {have}, and the job rank {rank}"
            raise BadInput(f"{text}: the trainer would {lost} silently. Set rank={ranks[-1]}.")


def _arch_of(recorded: str, arch: str) -> str:
    """Return `arch` unless what a LoRA records of its base is known to be something else."""
    known = {*_VERSIONS.values(), *presets.load()}
    return recorded if recorded in known - {arch, _VERSIONS.get(arch)} else arch


def warm_start_check(backend: Backend, draft: JobDraft, have: JobState | None) -> Iterator[Check]:
    """Check the LoRA that a job is to begin with, read-only; yields nothing without one."""
    if value_at(draft.config, WORD) is MISSING:
        return
    if have is not None and resume_point(backend, have, draft.config).checkpoint:
        yield note("init_lora", "It is ignored: the job has a checkpoint, and goes on from that.")
        return
    try:
        path = WarmStart(backend, draft.config).path(send=False)
    except (BadInput, NotFound, NotSupported) as exc:
        yield problem("init_lora", str(exc))
    else:
        yield ok("init_lora", f"Training begins with {path}.")
