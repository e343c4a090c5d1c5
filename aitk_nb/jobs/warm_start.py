"""`WarmStart`: the LoRA that a job begins with: found, checked, and sent if it is a local file.

The trainer does not check it: it prints that the file is missing and trains from nothing, and cuts
another rank or fills it up with zeros (`get_latest_save_path` in AI Toolkit's
jobs/process/BaseSDTrainProcess.py, `load_weights` in its toolkit/network_mixins.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitk_nb._display.progress import reporting
from aitk_nb._files import sha256
from aitk_nb.backends.base import Backend, Upload
from aitk_nb.errors import BadInput, NotFound, NotSupported
from aitk_nb.lora.api import LoraReport, inspect_lora
from aitk_nb.models.job import JobState, JobStatus, RemoteFile
from aitk_nb.models.server import Ability, Flavour
from aitk_nb.training import presets
from aitk_nb.training.config_paths import MISSING, value_at
from aitk_nb.training.effective import effective_of

WORD = "config.process.0.network.init_lora"

_STEP = re.compile(r"_(\d{9,})\.safetensors$", re.ASCII)


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
            text = f"init_lora: the server lists no LoRA {word}, and there is no such file here"
            raise BadInput(f"{text}. Name a checkpoint as JOB or JOB@STEP, or another file.")
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
        except (NotFound, NotSupported):
            state, sizes = None, {}
        if word in sizes:
            return self._checked(word, sizes[word], state)
        # The server sends no file of its folder of LoRAs, so that it is not known what is in it.
        listed = self.backend.loras.list() if Ability.LORAS in self.backend.abilities else ()
        return word if any(lora.path == word for lora in listed) else ""

    def _sent(self, local: Path, *, send: bool) -> str:
        report = inspect_lora(local)
        self._check(report)
        if Ability.LORAS not in self.backend.abilities:
            flavour = "dated web UI" if self.backend.flavour is Flavour.WEBUI else "Gradio"
            instead = "Name a checkpoint as JOB@STEP, or copy the file into the folder of a job on "
            instead += "the server and give its path there."
            raise NotSupported("take a local LoRA for init_lora", flavour, instead)
        # Of the same name is the same content, so that it is sent once.
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", local.stem)
        name = f"{stem}-{sha256(local)[:12]}.safetensors"
        there = {lora.name: lora for lora in self.backend.loras.list() if not lora.job}
        if (lora := there.get(name)) and lora.size == report.size:
            return lora.path
        if not send:
            return name
        with reporting("auto", "uploading") as progress:
            return self.backend.loras.upload(Upload(local, name, report.size), progress).path

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
    bases = presets.FACTS["recorded_bases"]
    known = {*bases.values(), *presets.load()}
    return recorded if recorded in known - {arch, bases.get(arch)} else arch
