"""`Trial`: makes the pictures that show what LoRAs do, and brings each of them here."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from aitk_nb._display import html
from aitk_nb._display.images import thumbnail
from aitk_nb._display.progress import ProgressBar, ProgressOption, reporting
from aitk_nb.backends.base import Backend
from aitk_nb.backends.wire.deadline import RETURN, backoff
from aitk_nb.errors import AitkError, BadInput, ConnectionFailed, Rejected
from aitk_nb.inference.api import Inference
from aitk_nb.models.dataset import IMAGES
from aitk_nb.models.inference import GeneratedFile
from aitk_nb.models.lora import ServerLora
from aitk_nb.models.names import safe_file_name
from aitk_nb.pictures.drawing import Tile
from aitk_nb.pictures.grid import PictureGrid
from aitk_nb.results.checkpoints import (
    Checkpoint,
    Tryable,
    checkpoints,
    model_and_sample,
    uploaded,
)

_EDGE = 300
_LOST = 3
"""How often a picture is sent to an engine that ends over it."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Shot:
    """One picture that is to be made."""

    prompt: str
    seed: int
    column: str
    strength: float
    lora: ServerLora | None
    """None for the base model."""


def _shots(
    loras: Sequence[tuple[str, ServerLora]],
    rows: Sequence[tuple[str, int]],
    strengths: Sequence[float],
) -> Iterator[_Shot]:
    """Yield all pictures, those of one LoRA together, as the engine keeps what it has loaded."""
    order = list(dict.fromkeys(float(strength) for strength in strengths))
    if 0 in order:
        yield from (_Shot(prompt, seed, "base model", 0, None) for prompt, seed in rows)
    for label, lora in loras:
        for strength in order:
            if strength:
                column = f"{label} \N{MULTIPLICATION SIGN}{strength:g}"
                yield from (_Shot(prompt, seed, column, strength, lora) for prompt, seed in rows)


@dataclass
class Trial:
    """Tries LoRAs with one engine."""

    backend: Backend
    loras: Sequence[Tryable]
    prompts: Sequence[str]
    strengths: Sequence[float]
    seeds: Sequence[int]
    folder: Path
    control_image: str | Path | None

    def grid(
        self,
        arch: str,
        model: Mapping[str, object],
        sample: Mapping[str, object],
        gpu: str | int | None,
        progress: ProgressOption,
        *,
        keep_engine: bool,
    ) -> PictureGrid:
        """Make what is not here yet, and return all of it."""
        self._inference = Inference(self.backend)
        running = self._inference.status()  # first, as a server without engines lists no LoRAs
        tried = checkpoints(self.backend, self.loras)
        if not self.prompts:
            self.prompts = list(dict.fromkeys(text for one in tried for text in one.prompts))
        self._check(tried)
        base, drawn = model_and_sample(_arch(arch, tried), tried)
        self._model, self._sample = {**base, **model}, {**drawn, **sample}
        ids = next((one.gpu_ids for one in tried if one.gpu_ids), "0").partition(",")[0]
        ready = next((engine.gpu_ids for engine in running if engine.is_ready), ids)
        self._gpu = ready if gpu is None else str(gpu)
        ask = partial(self._inference.check_queue, self._gpu)
        there = [(one.label, uploaded(self.backend, one, ask)) for one in tried]
        rows = [(text, seed) for text in self.prompts for seed in self.seeds]
        shots = list(_shots(there, rows, self.strengths))
        note = self._run(shots, progress, keep=keep_engine)
        columns = list(dict.fromkeys(shot.column for shot in shots))
        several = len(self.seeds) > 1
        captions = [f"{text} · seed {seed}" if several else text for text, seed in rows]
        at = {
            shot: (rows.index((shot.prompt, shot.seed)), columns.index(shot.column))
            for shot in shots
        }
        return PictureGrid(
            captions, columns, {at[one]: _tile(self._made(one)) for one in shots}, note
        )

    def _check(self, tried: Sequence[Checkpoint]) -> None:
        """Raise `BadInput` if there is nothing to try, or a number is none."""
        given = {"LoRA": tried, "prompt": self.prompts, "strength": self.strengths}
        for what, items in {**given, "seed": self.seeds}.items():
            if not items:
                raise BadInput(f"At least one {what} is needed.")
        if self.control_image and not Path(self.control_image).expanduser().is_file():
            raise BadInput(f"There is no control image {self.control_image}.")
        if not all(math.isfinite(strength) for strength in self.strengths):
            raise BadInput("Strengths must be finite numbers.")
        if not all(isinstance(seed, int) and seed >= 0 for seed in self.seeds):
            raise BadInput("Seeds must be whole numbers of at least 0: a lost picture is repeated.")

    def _run(self, shots: Sequence[_Shot], progress: ProgressOption, *, keep: bool) -> str:
        """Make what is not here yet, and return what is to be said of the engine."""
        left = [shot for shot in shots if self._made(shot) is None]
        if not left:
            return ""
        with (
            self._engine(keep=keep) as note,
            reporting(progress, "generating", in_bytes=False) as report,
        ):
            arch = str(self._model["arch"])
            needs = partial(self._inference.needs_control_image, arch, self._gpu)
            if self.control_image is None and self._patiently(needs):
                raise BadInput(f"{arch} requires a control image: pass control_image=…")
            for done, shot in enumerate(left, len(shots) - len(left)):
                report(done, len(shots))
                made = self._make(shot)
                if isinstance(report, ProgressBar):
                    report.newest = html.pictures([(thumbnail(made), shot.column)])
            report(len(shots), len(shots))
        return note

    @contextmanager
    def _engine(self, *, keep: bool) -> Iterator[str]:
        """Have an engine, and stop it if it was started for this."""
        before = [one.gpu_ids for one in self._inference.status() if one.status != "stopping"]
        stays = keep or self._gpu in before
        kept = (
            f"The inference engine on GPU {self._gpu} was kept, and blocks its queue until "
            "client.inference.stop()."
        )
        try:
            self._inference.start(self._gpu)
            yield kept if stays else ""
        finally:
            if not stays:
                try:
                    self._patiently(partial(self._inference.stop, self._gpu))
                except AitkError as exc:
                    raise AitkError(
                        f"The inference engine on GPU {self._gpu} could not be stopped ({exc}) It "
                        "blocks its queue until client.inference.stop()."
                    ) from exc

    def _made(self, shot: _Shot) -> Path | None:
        """Return the file of a picture, if it was made."""
        return next(self.folder.glob(f"*_{self._key(shot)}.*"), None)

    def _key(self, shot: _Shot) -> str:
        """Return what stands for all that a picture depends on."""
        lora = shot.lora and (shot.lora.path, shot.lora.size, shot.lora.modified, shot.strength)
        control = self.control_image and Path(self.control_image).expanduser().stat().st_mtime_ns
        parts = [self._model, self._sample, shot.prompt, shot.seed, lora, str(control)]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _make(self, shot: _Shot) -> Path:
        """Generate a picture, fetch it to the file that is returned, and delete it there."""
        for lost in range(1, _LOST + 1):
            try:
                files = self._patiently(partial(self._generated, shot))
                break
            except Rejected as exc:
                if exc.status != 404 or lost == _LOST:
                    raise
        if not files:
            raise Rejected("generate", "the engine has made no file")
        what = f"{shot.column} {shot.seed}_{self._key(shot)}{PurePosixPath(files[0].path).suffix}"
        target = self.folder / safe_file_name(what)
        try:
            self._patiently(partial(self._inference.fetch, files[0], target))
        finally:
            self._patiently(partial(self._inference.delete, files))
        return target

    def _generated(self, shot: _Shot) -> Sequence[GeneratedFile]:
        self._inference.start(self._gpu)
        return self._inference.generate(
            shot.prompt,
            model=self._model,
            loras={shot.lora.path: shot.strength} if shot.lora else {},
            seed=shot.seed,
            sample=self._sample,
            gpu=self._gpu,
            control_image=self.control_image,
        )

    def _patiently(self, call: Callable[[], T]) -> T:
        """Return what a call does, again and again while the server is away."""
        tries, since = 0, 0.0
        while True:
            try:
                return call()
            except (ConnectionFailed, Rejected) as exc:
                # An engine that is just ready, or was just killed, is not known to the proxy.
                if isinstance(exc, Rejected) and exc.status not in (502, 503):
                    raise
                since = since or time.monotonic()
                if time.monotonic() - since >= self._inference.outage:
                    raise
                time.sleep(backoff(tries, RETURN))
                tries += 1


def _arch(given: str, tried: Sequence[Checkpoint]) -> str:
    """Return the architecture of all LoRAs."""
    known = {given} if given else {one.arch for one in tried if one.arch}
    if len(known) > 1:
        raise BadInput(
            f"Try LoRAs of one architecture at a time, not of {', '.join(sorted(known))}."
        )
    if not known:
        names = ", ".join(one.label for one in tried)
        raise BadInput(
            f"{names}: the file doesn't tell its architecture. Pass arch=, as in 'flux'."
        )
    return known.pop()


def _tile(file: Path | None) -> Tile:
    if file is None:
        return Tile(words="not made")
    if file.suffix.lower() not in IMAGES:
        return Tile(words=f"{file.name} can't be shown here", file=str(file))
    return Tile(thumbnail(file, _EDGE), file=str(file))
