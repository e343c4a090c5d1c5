"""`client.try_lora`: what checkpoints do, drawn by the server's own engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aitk_nb._display.progress import ProgressOption

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend
    from aitk_nb.pictures.grid import PictureGrid
    from aitk_nb.results.checkpoints import Tryable

SEED = 42
STRENGTHS = (0.0, 0.6, 1.0)


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
                notebooks and terminals only; a notebook shows the newest picture below it. None
                shows nothing.

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
        # With the network side it takes longer to import than all the rest.
        from aitk_nb.results.lora_trial import Trial

        return Trial(
            self._backend,
            loras if isinstance(loras, Sequence) and not isinstance(loras, str) else [loras],
            [prompts] if isinstance(prompts, str) else [*prompts],
            strengths,
            seeds,
            Path(folder).expanduser(),
            control_image,
        ).grid(arch, model or {}, sample or {}, gpu, progress, keep_engine=keep_engine)
