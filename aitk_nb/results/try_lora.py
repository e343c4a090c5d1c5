"""`client.try_lora`: what checkpoints do, drawn by the server's own engine."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from aitk_nb._images import thumbnail
from aitk_nb._progress import ProgressOption, reporting
from aitk_nb._units import plural
from aitk_nb.backends.base import Backend
from aitk_nb.backends.wire.deadline import RETURN, backoff
from aitk_nb.errors import AitkError, BadInput, ConnectionFailed, Rejected
from aitk_nb.inference.api import Inference
from aitk_nb.loras.api import Loras
from aitk_nb.models.dataset import IMAGES
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

SEED = 42
STRENGTHS = (0.0, 0.6, 1.0)
_EDGE = 300
_LOST = 3
"""How often a picture is sent to an engine that ends over it."""
T = TypeVar("T")


class TriesLoras:
    """The part of a client that tries LoRAs."""

    _backend: Backend

    def try_lora(
        self,
        loras: Tryable | Sequence[Tryable],
        prompts: str | Sequence[str] = (),
        *,
        strengths: Sequence[float] = STRENGTHS,
        seeds: Sequence[int] = (SEED,),
        arch: str = "",
        model: Mapping[str, object] | None = None,
        sample: Mapping[str, object] | None = None,
        control_image: str | Path | None = None,
        gpu: str | int | None = None,
        keep_engine: bool = False,
        folder: str | Path = "tried",
        progress: ProgressOption = "auto",
    ) -> PictureGrid:
        """Generate pictures with checkpoints at several strengths, and return them as a grid.

        The server's inference engine makes them, one after the other; it is started if none runs,
        and stopped afterwards. Each picture is downloaded to `folder` and deleted from the server,
        where anyone who knows its path could read it. What is there already is not made again, so
        that a call that failed or was interrupted is simply repeated.

        Args:
            loras: A job, which stands for all its checkpoints; a LoRA of `client.loras.list()`, a
                file of `job.files()`, or the name of one; a local file, which is uploaded; or
                several of these.
            prompts: What to generate; by default the sample prompts of the job.
            strengths: Strength of each LoRA. 0 is the base model, which is the same for all LoRAs.
            seeds: One picture is made with each.
            arch: The architecture, as AI Toolkit names it, where neither job nor file tell it.
            model: Other keys of AI Toolkit's `model`, such as `name_or_path`; by default the job's,
                else those of the architecture's preset.
            sample: Other keys of AI Toolkit's sample config, such as `width` and
                `num_inference_steps`; by default as the job drew its samples.
            control_image: An image on this machine, for a model that requires one.
            gpu: The GPU; by default that of the engine that runs, else the job's.
            keep_engine: Don't stop an engine that this call has started.
            folder: Where the pictures are written.
            progress: Called with the number of pictures done and in total; by default a bar, in
                notebooks and terminals only. None shows nothing.

        Returns:
            The grid: a row for each prompt and seed, a column for each checkpoint and strength.
            The `file` of a tile is the original.

        Raises:
            BadInput: The architecture is unknown or generates text, the control image is missing,
                or an argument is invalid.
            NotFound: The server has no such LoRA.
            Rejected: Other jobs use or wait for the GPU, so that nothing was started, or the engine
                refused or failed.
            ConnectionFailed: The server was away for too long; `connect(outage=…)` sets how long.
            NotSupported: The server has no inference engine, as before AI Toolkit 0.13.

        Example:
            >>> small = {"width": 64, "height": 64, "num_inference_steps": 4}
            >>> client.try_lora(job, "a portrait", strengths=(0, 1), sample=small)
            <2 pictures in 1 row and 2 columns>
        """
        inference = Inference(self._backend)
        running = inference.status()  # first, as a server without engines has no LoRAs either
        single = isinstance(loras, str) or not isinstance(loras, Sequence)
        tried = checkpoints(self._backend, [loras] if single else loras)  # type: ignore[list-item, arg-type]
        texts = [prompts] if isinstance(prompts, str) else [*prompts]
        texts = texts or list(dict.fromkeys(text for one in tried for text in one.prompts))
        _check(tried, texts, strengths, seeds)
        known = {arch} if arch else {one.arch for one in tried if one.arch}
        if len(known) != 1:
            what = f"are of {' and '.join(sorted(known))}: try" if known else "don't tell it: pass"
            how = "those of one architecture at a time" if known else "arch=…, such as arch='flux'"
            raise BadInput(f"An architecture is needed, and these LoRAs {what} {how}.")
        process = next((one.process for one in tried if one.process), {})
        base, drawn = model_and_sample(known.pop(), process)
        ids = next((one.gpu_ids for one in tried if one.gpu_ids), "0")
        where = next((engine.gpu_ids for engine in running if engine.is_ready), ids)
        trial = _Trial(
            inference,
            {**base, **(model or {})},
            {**drawn, **(sample or {})},
            Path(folder).expanduser(),
            where if gpu is None else str(gpu),
            control_image,
            self._backend.outage if hasattr(self._backend, "outage") else 120.0,
        )
        store = Loras(self._backend)
        sent = [(one.label, uploaded(store, one)) for one in tried]
        rows = [(text, seed) for text in texts for seed in seeds]
        shots = list(_shots(sent, rows, strengths))
        note = trial.run(shots, progress, keep_engine=keep_engine)
        several = len(seeds) > 1
        captions = [f"{text} · seed {seed}" if several else text for text, seed in rows]
        columns = list(dict.fromkeys(shot.column for shot in shots))
        tiles = {
            (rows.index((shot.prompt, shot.seed)), columns.index(shot.column)): _tile(
                trial.made(shot)
            )
            for shot in shots
        }
        return PictureGrid(captions, columns, tiles, note)


def _check(
    tried: Sequence[Checkpoint],
    texts: Sequence[str],
    strengths: Sequence[float],
    seeds: Sequence[int],
) -> None:
    """Raise `BadInput` if there is nothing to try, or a number is none."""
    for what, items in (
        ("a LoRA", tried),
        ("a prompt", texts),
        ("a strength", strengths),
        ("a seed", seeds),
    ):
        if not items:
            raise BadInput(f"try_lora needs {what}.")
    if not all(math.isfinite(strength) for strength in strengths):
        raise BadInput("Strengths must be finite numbers.")
    if not all(isinstance(seed, int) and seed >= 0 for seed in seeds):
        raise BadInput(
            "Seeds must be whole numbers of at least 0, so that a picture is repeatable."
        )


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


@dataclass(frozen=True)
class _Trial:
    """Makes pictures, and brings each of them here."""

    inference: Inference
    model: Mapping[str, object]
    sample: Mapping[str, object]
    folder: Path
    gpu: str
    control_image: str | Path | None
    outage: float

    def run(self, shots: Sequence[_Shot], progress: ProgressOption, *, keep_engine: bool) -> str:
        """Make what is not here yet, and return what is to be said of the engine."""
        left = [shot for shot in shots if self.made(shot) is None]
        if not left:
            return ""
        with (
            self._engine(keep=keep_engine) as note,
            reporting(progress, "generating", in_bytes=False) as report,
        ):
            arch = str(self.model["arch"])
            needs = partial(self.inference.needs_control_image, arch, self.gpu)
            if self.control_image is None and self._patiently(needs):
                raise BadInput(f"{arch} requires a control image: pass control_image=…")
            for done, shot in enumerate(left, len(shots) - len(left)):
                report(done, len(shots))
                self._make(shot)
            report(len(shots), len(shots))
        return note

    @contextmanager
    def _engine(self, *, keep: bool) -> Iterator[str]:
        """Have an engine, and stop it if it was started for this."""
        before = [one.gpu_ids for one in self.inference.status() if one.status != "stopping"]
        self.inference.start(self.gpu)
        stays = keep or self.gpu in before
        kept = (
            f"The inference engine on GPU {self.gpu} was kept, and blocks its queue until "
            "client.inference.stop()."
        )
        try:
            yield kept if stays else ""
        finally:
            if not stays:
                try:
                    self._patiently(partial(self.inference.stop, self.gpu))
                except AitkError as exc:
                    raise AitkError(
                        f"The inference engine on GPU {self.gpu} could not be stopped ({exc}) It "
                        "blocks its queue until client.inference.stop()."
                    ) from exc

    def made(self, shot: _Shot) -> Path | None:
        """Return the file of a picture, if it was made."""
        return next(self.folder.glob(f"*_{self._key(shot)}.*"), None)

    def _key(self, shot: _Shot) -> str:
        """Return what stands for all that a picture depends on."""
        lora = shot.lora and (shot.lora.path, shot.lora.size, shot.lora.modified, shot.strength)
        control = self.control_image and Path(self.control_image).expanduser().stat().st_mtime_ns
        parts = [self.model, self.sample, shot.prompt, shot.seed, lora, str(control)]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _make(self, shot: _Shot) -> None:
        """Generate a picture, fetch it, and delete it from the server."""
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
        self._patiently(partial(self.inference.fetch, files[0], target))
        self._patiently(partial(self.inference.delete, files))

    def _generated(self, shot: _Shot) -> Sequence[Any]:
        self.inference.start(self.gpu)
        try:
            return self.inference.generate(
                shot.prompt,
                model=self.model,
                loras={shot.lora.path: shot.strength} if shot.lora else {},
                seed=shot.seed,
                sample=self.sample,
                gpu=self.gpu,
                control_image=self.control_image,
            )
        except Rejected as exc:
            # An engine that is just ready is not known to the proxy for two seconds.
            if exc.status in (502, 503):
                raise ConnectionFailed("the inference engine", exc.reply) from exc
            raise

    def _patiently(self, call: Callable[[], T]) -> T:
        """Return what a call does, again and again while the server is away."""
        tries, since = 0, 0.0
        while True:
            try:
                return call()
            except ConnectionFailed:
                since = since or time.monotonic()
                if time.monotonic() - since >= self.outage:
                    raise
                time.sleep(backoff(tries, RETURN))
                tries += 1


def _tile(file: Path | None) -> Tile:
    if file is None:
        return Tile(words="not made")
    if file.suffix.lower() not in IMAGES:
        return Tile(words=f"{file.name} can't be shown here", file=str(file))
    return Tile(thumbnail(file, _EDGE), file=str(file))
