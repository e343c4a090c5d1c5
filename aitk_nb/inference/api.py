"""`client.inference`: the server's inference engine, and pictures made with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aitk_nb.backends.base import Backend, Progress, no_progress
from aitk_nb.backends.webui.inference import SupportsInference, WebUIInference
from aitk_nb.errors import (
    AitkError,
    BadInput,
    NotSupported,
    Rejected,
    UnexpectedReply,
)
from aitk_nb.inference.generation import Generation
from aitk_nb.models.inference import Engine, Frame, GeneratedFile
from aitk_nb.models.server import Ability

STARTS_WITHIN = 120.0
STOPS_WITHIN = 30.0
_DRAWN = "aitk_nb.views.sample_grid(job) shows what the training drew, prompt by step."


class Inference:
    """Generates images with the server's own engine, with and without LoRAs.

    An engine is a job that never ends: it holds its GPU, and every training job queued there waits,
    until `stop`.

    Example:
        >>> client.inference.status()
        ()
    """

    def __init__(
        self,
        backend: Backend,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use `backend`; nothing is sent until the first call.

        Args:
            backend: What sends the requests.
            clock: Time in seconds.
            sleep: What waits for some seconds.
        """
        self._backend = backend
        self._clock = clock
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"<Inference on {self._backend.url}>"

    @property
    def outage(self) -> float:
        """Seconds that the server may be away."""
        return self._store.outage

    @property
    def _store(self) -> WebUIInference:
        able = Ability.INFERENCE in self._backend.abilities
        if not able or not isinstance(self._backend, SupportsInference):
            raise NotSupported(
                Ability.INFERENCE.value,
                f"{self._backend.flavour.value} of this version",
                "Update AI Toolkit to 0.13, or download the LoRA and try it in another program. "
                + (_DRAWN if Ability.SAMPLES in self._backend.abilities else ""),
            )
        return self._backend.inference

    def status(self) -> tuple[Engine, ...]:
        """Return the engines that run, wait in a queue, or are still stopping.

        Raises:
            NotSupported: The server has no engine: `client.can(Ability.INFERENCE)` is false.
        """
        return self._store.engines()

    def start(self, gpu: str | int = "0", *, timeout: float = STARTS_WITHIN) -> Engine:
        """Start an engine, unless one is ready on that GPU, and wait until it takes requests.

        From then on it blocks every job that is queued on this GPU, until `stop`.

        Args:
            gpu: The GPU, as the server numbers it.
            timeout: Seconds to wait for it.

        Returns:
            The engine.

        Raises:
            Rejected: Other jobs run or wait on that GPU; nothing was started.
            AitkError: It was not ready in time, and was stopped.
            NotSupported: The server has no engine.
        """
        gpu_ids, store = str(gpu), self._store
        engine = self._on(gpu_ids)
        if engine is None:
            self.check_queue(gpu_ids)
            store.start(gpu_ids)
        until = self._clock() + timeout
        while engine is None or not engine.is_ready or engine.status != "running":
            if self._clock() >= until:
                self.stop(gpu_ids)
                raise AitkError(
                    f"The inference engine on GPU {gpu_ids} was not ready within {timeout:g} s, "
                    f"and was stopped. Its log tells more: "
                    f"client.jobs.get('inference_engine_gpu{gpu_ids}').log()."
                )
            self._sleep(0.2)
            engine = self._on(gpu_ids)
        return engine

    def check_queue(self, gpu: str | int = "0") -> None:
        """Raise `Rejected` if an engine on that GPU would only wait, and block what follows.

        Args:
            gpu: The GPU, as the server numbers it.
        """
        jobs = [job for job in self._store.jobs() if job.gpu_ids == str(gpu)]
        busy = [job.label for job in jobs if job.status.is_active]
        if busy and self._on(str(gpu)) is None:
            raise Rejected(
                "start an inference engine",
                f"GPU {gpu} is used by {', '.join(busy)}, and the engine "
                "would only wait behind that. Try again when it has ended, or stop it first",
            )

    def stop(self, gpu: str | int | None = None, *, timeout: float = STOPS_WITHIN) -> None:
        """Stop the engine of a GPU, or all, and wait until its process has ended.

        Args:
            gpu: The GPU; by default all engines are stopped.
            timeout: Seconds to wait; an engine that still lives then is killed.

        Raises:
            AitkError: It lives on although it was killed.
            NotSupported: The server has no engine.
        """
        for engine in self.status():
            if gpu is None or engine.gpu_ids == str(gpu):
                self._end(engine, timeout)

    def _end(self, engine: Engine, timeout: float) -> None:
        if engine.status != "stopping":
            self._store.stop(engine)
        for end in (lambda: self._store.kill(engine), None):
            until = self._clock() + timeout
            while engine.name in [one.name for one in self.status()]:
                if self._clock() >= until:
                    break
                self._sleep(0.2)
            else:
                return
            if end is not None:
                end()
        raise AitkError(f"{engine.name} was stopped and killed, and the server still lists it.")

    def generate(
        self,
        prompt: str,
        *,
        model: Mapping[str, object],
        loras: Mapping[str, float] | Sequence[str] = (),
        seed: int = -1,
        sample: Mapping[str, object] | None = None,
        gpu: str | int | None = None,
        control_image: str | Path | None = None,
        on_frame: Callable[[Frame], object] | None = None,
        latents: bool = False,
    ) -> tuple[GeneratedFile, ...]:
        """Generate what a prompt asks for, on an engine that was started before.

        A lost line is taken up again without losing anything. Interrupting cancels the request.

        Args:
            prompt: The prompt.
            model: Keys of AI Toolkit's `model`: `arch`, and `name_or_path` or the engine takes the
                one checkpoint that it knows for the architecture.
            loras: Absolute paths on the server, as `client.loras.list()` tells them, each with its
                strength, by default 1.
            seed: Seed; -1 draws one.
            sample: Other keys of AI Toolkit's sample config, such as `width`, `height`,
                `num_inference_steps` and `guidance_scale`; the engine refuses one it doesn't know.
            gpu: The GPU of the engine; by default the first that is ready.
            control_image: An image on this machine, for a model that needs one.
            on_frame: Called with each message of the engine, for progress and previews.
            latents: Also get the latents of each step, as frames.

        Returns:
            The files on the server; `fetch` gets them, and `delete` removes them there.

        Raises:
            BadInput: No architecture was given, or the control image can't be read.
            Rejected: No engine is ready, it refused or failed, the request was cancelled, or the
                engine was restarted and has lost it.
            ConnectionFailed: The server was away for too long; `connect(outage=…)` sets how long.
            NotSupported: The server has no engine.
        """
        if not isinstance(model.get("arch"), str) or not model["arch"]:
            # A number in its place would end the engine.
            raise BadInput("model needs 'arch', the architecture as AI Toolkit names it.")
        engine = self._ready(gpu)
        given = loras if isinstance(loras, Mapping) else dict.fromkeys(loras, 1.0)
        entries = [{"path": path, "strength": strength} for path, strength in given.items()]
        wanted = {"prompt": prompt, "seed": seed, **(sample or {})}
        if control_image is not None:
            wanted["ctrl_img"] = self._sent(engine, Path(control_image).expanduser())
        body = {
            "model": {**model, "loras": entries},
            "sample": wanted,
            "stream": {"latents": "raw" if latents else "none"},
        }
        made = []
        generation = Generation(self._store, engine, clock=self._clock, sleep=self._sleep)
        for frame in generation.frames(body):
            if on_frame is not None:
                on_frame(frame)
            if frame.kind == "error":
                raise Rejected("generate", str(frame.header.get("message", ""))[:2000])
            if frame.kind == "result":
                made.append(_file(frame))
        return tuple(made)

    def needs_control_image(self, arch: str, gpu: str | int | None = None) -> bool:
        """Return whether the engine refuses an architecture without a control image.

        Args:
            arch: The architecture, as AI Toolkit names it.
            gpu: The GPU of the engine; by default the first that is ready.

        Raises:
            Rejected: No engine is ready.
        """
        return self._store.needs_control_image(self._ready(gpu), arch)

    def fetch(
        self, file: GeneratedFile, target: str | Path, progress: Progress | None = None
    ) -> Path:
        """Fetch a generated file, whole or not at all.

        Args:
            file: One that `generate` returned.
            target: Where it goes.
            progress: Called with the bytes done and the bytes in total.

        Returns:
            The path of the fetched file.

        Raises:
            AitkError: It could not be fetched or written.
        """
        path = Path(target).expanduser()
        self._store.fetch(file.path, path, progress or no_progress)
        return path

    def delete(self, files: Sequence[GeneratedFile]) -> None:
        """Delete generated files from the server, where they can be read without a token.

        Args:
            files: Those that `generate` returned.

        Raises:
            Rejected: Some are still there.
        """
        left = self._store.delete([file.path for file in files])
        if left:
            raise Rejected("delete what an engine has made", ", ".join(left))

    def _on(self, gpu_ids: str) -> Engine | None:
        there = [engine for engine in self.status() if engine.gpu_ids == gpu_ids]
        return next((one for one in there if one.status != "stopping"), None)

    def _ready(self, gpu: str | int | None) -> Engine:
        for engine in self.status():
            if engine.is_ready and engine.status == "running" and gpu in (None, engine.gpu_ids):
                return engine
        raise Rejected(
            "generate", "no inference engine is ready. Start one: client.inference.start()", 503
        )

    def _sent(self, engine: Engine, image: Path) -> str:
        try:
            content = image.read_bytes()
        except OSError as exc:
            raise BadInput(f"{image} can't be read: {exc.strerror or exc}.") from exc
        return self._store.upload_asset(engine, image.name, content)


def _file(frame: Frame) -> GeneratedFile:
    try:
        header = frame.header
        return GeneratedFile(
            str(header["path"]), str(header["kind"]), int(header["bytes"]), int(header["seed"])
        )
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise UnexpectedReply("generate", "a result without its file") from exc
