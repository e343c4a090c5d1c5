"""One training from config to LoRA: the loop, and when it saves, paints and logs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image

from aitk_nb.demo.trainer import flow, photographs, validation
from aitk_nb.demo.trainer.adamw import AdamW, AdamWOptions, inner_rate
from aitk_nb.demo.trainer.config import JobConfig, SampleItem
from aitk_nb.demo.trainer.denoiser import Denoiser, Floats, Shape
from aitk_nb.demo.trainer.files import JobFolder, begin_with
from aitk_nb.demo.trainer.job_row import Flags, Nobody, Watcher
from aitk_nb.demo.trainer.loss_log import LossLog
from aitk_nb.demo.trainer.patches import COEFFICIENTS, SIDE, decode, grid_of
from aitk_nb.demo.trainer.photographs import Batch
from aitk_nb.demo.trainer.progress_bar import Progress

_LARGEST_SAMPLE = 256


class Stopped(Exception):
    """The web side asked the training to stop."""


class BackToQueue(Exception):
    """The queue was stopped, so the job waits in it again."""


class TrainingRun:
    """Trains one LoRA.

    All that is random in a step comes from the seed and the step's number, so that a run that is
    resumed sees what it would have seen.
    """

    def __init__(
        self,
        config: JobConfig,
        out: TextIO,
        watcher: Watcher | None = None,
        flush_seconds: float = 0.25,
    ) -> None:
        """Prepare nothing yet; `run` does all."""
        self._config = config
        self._out = out
        self._watcher: Watcher = watcher or Nobody()
        self._flush_seconds = flush_seconds
        self._folder = JobFolder(config)
        train = config.train
        shape = Shape(flow.FEATURES, COEFFICIENTS, train.rank, train.alpha, train.is_scaled)
        self._denoiser = Denoiser(shape, train.seed)
        options = AdamWOptions(inner_rate(train.optimizer, train.rate), train.weight_decay)
        self._optimizer = AdamW(self._denoiser.numbers.size, options)
        self._batches: list[Batch] = []
        self._regularizing: list[Batch] = []
        self._shown = 0
        """Batches of the main datasets that were shown."""
        self._texts: dict[str, Floats] = {"": flow.text_features("")}
        self._validation = validation.Validation()
        self._losses: LossLog | None = None
        self._bar: Progress | None = None
        self._step = 0

    def run(self) -> Path:
        """Train, and return the path of the LoRA.

        Raises:
            Stopped: the watcher wanted it.
            BackToQueue: the watcher wanted it.
            OSError, ValueError: the config or the dataset is invalid.
        """
        # Numbers of a training job that diverges overflow, and that is for the loss to show.
        with np.errstate(all="ignore"):
            try:
                self._load()
                self._first_sample()
                self._train()
                return self._finish()
            finally:
                if self._losses is not None:
                    self._losses.close()

    def _load(self) -> None:
        self._folder.prepare()
        self._resume()
        self._obey()
        self._watcher.info("Loading model")
        self._say(f"Loading base model {self._config.base_model}")
        train = self._config.train
        alpha = f"{train.alpha:g}"
        self._say(f"create LoRA network. base dim (rank): {train.rank}, alpha: {alpha}")
        self._obey()
        self._watcher.info("Loading dataset")
        self._batches, self._regularizing = photographs.load(self._config, self._say)
        batches = self._batches + self._regularizing
        captions = {lesson.picture.caption for batch in batches for lesson in batch}
        self._texts |= {caption: flow.text_features(caption) for caption in captions}
        self._validation = validation.load(self._config, self._say)

    def _resume(self) -> None:
        found = self._folder.newest()
        if found is None:
            begin_with(self._config.train.pretrained, self._denoiser, self._say)
            self._watcher.saved(0)
            return
        self._say(f"Found checkpoint {found.path.name}, starting from step {found.step}")
        self._denoiser.load(found.tensors)
        self._step = found.step
        self._watcher.saved(found.step)
        state = self._folder.optimizer(found.step)
        if state is None or not self._optimizer.restore(state):
            self._say("The optimizer starts anew")

    def _first_sample(self) -> None:
        sample = self._config.sample
        if not sample.enabled or not sample.at_first:
            self._say("Skipping first sample")
        elif self._step <= 1 and sample.items:
            self._say("Generating baseline samples before training")
            self._paint(self._step)

    def _train(self) -> None:
        config, train = self._config, self._config.train
        self._watcher.step(self._step)
        self._watcher.info("Training")
        if config.ui_logger:
            self._losses = LossLog(config.root / "loss_log.db", self._flush_seconds)
        start = self._step
        self._shown = train.accumulation * sum(not self._regularizes(step) for step in range(start))
        self._bar = Progress(config.name, config.train.steps, start, self._out)
        for step in range(start, config.train.steps):
            loss = self._learn(step)
            self._validation.measure(self._denoiser, step, start)
            self._bar.note = f"lr: {config.train.rate:.1e} loss: {loss:.3e}"
            if step != start:
                self._save_and_paint(step)
                self._log(step, loss)
            self._step = step + 1
            self._bar.update(self._step)
            self._watcher.step(self._step)
            self._answer()
        self._bar.close()

    def _learn(self, step: int) -> float:
        """Do one step, and return its loss: the mean of its batches."""
        train, denoiser = self._config.train, self._denoiser
        denoiser.gradient[:] = 0
        total = 0.0
        for _ in range(train.accumulation):
            total += self._show(self._next_batch(step), step)
        # Gradients of earlier steps are forgotten, as the real trainer does it.
        if (step + 1) % train.legacy_accumulation == 0:
            self._optimizer.step(denoiser.numbers, denoiser.gradient)
        return total / train.accumulation

    def _show(self, batch: Batch, step: int) -> float:
        """Add the gradient of a batch, and return its loss; one that is NaN is taken for 0."""
        train, denoiser = self._config.train, self._denoiser
        total, before = 0.0, denoiser.gradient.copy()
        for number, lesson in enumerate(batch):
            rng = np.random.default_rng([train.seed, 2, step, self._shown, number])
            caption = "" if rng.random() < lesson.dropout else lesson.picture.caption
            shown = flow.show(lesson.picture, self._texts[caption], train.timestep_type, rng)
            loss, gradient = shown.loss(denoiser.forward(shown.question.rows))
            denoiser.backward(gradient / len(batch) if len(batch) > 1 else gradient)
            total += loss
        if not math.isfinite(total):
            self._say("loss is nan")
            denoiser.gradient[:] = before
            return 0.0
        return total / len(batch)

    def _regularizes(self, step: int) -> bool:
        """Return whether a step goes to the datasets for regularization: even ones, mostly."""
        return bool(self._regularizing) and step % 2 == 0 and not (
            self._saves_at(step) or self._paints_at(step)
        )  # fmt: skip

    def _next_batch(self, step: int) -> Batch:
        """Return the batch that comes next: all once, then in a new order."""
        if self._regularizes(step):
            return self._in_order(self._regularizing, step // 2, 5)
        self._shown += 1
        return self._in_order(self._batches, self._shown - 1, 3)

    def _in_order(self, batches: Sequence[Batch], number: int, kind: int) -> Batch:
        epoch, place = divmod(number, len(batches))
        rng = np.random.default_rng([self._config.train.seed, kind, epoch])
        return batches[int(rng.permutation(len(batches))[place])]

    def _saves_at(self, step: int) -> bool:
        return self._config.save.every > 0 and step % self._config.save.every == 0

    def _paints_at(self, step: int) -> bool:
        sample = self._config.sample
        due = sample.every > 0 and step >= sample.start_step and step % sample.every == 0
        return sample.enabled and due

    def _save_and_paint(self, step: int) -> None:
        if self._saves_at(step):
            self._save(step, step)
        if self._paints_at(step):
            self._paint(step)

    def _log(self, step: int, loss: float) -> None:
        every, speed_every = self._config.log_every, self._config.performance_log_every
        if self._losses is not None and (every is None or (every > 0 and step % every == 0)):
            logged = {"learning_rate": self._config.train.rate, "loss/loss": loss}
            self._losses.commit(step, logged | self._validation.taken())
        if speed_every > 0 and step % speed_every == 0 and self._bar and self._bar.speed:
            self._watcher.speed(self._bar.speed)

    def _answer(self) -> None:
        """Do what the web side asked for."""
        flags = self._obey()
        if flags.save_now:
            self._watcher.clear("save_now")
            self._save(self._step, self._step)
        if flags.sample_now:
            self._watcher.clear("sample_now")
            self._say(f"\nSampling at step {self._step}")
            self._paint(self._step)

    def _obey(self) -> Flags:
        """Return what else is wanted, if the training may go on."""
        flags = self._watcher.flags()
        if flags.stop:
            raise Stopped("Job stopped")
        if flags.return_to_queue:
            raise BackToQueue("Job returning to queue")
        return flags

    def _save(self, step: int, number: int | None) -> None:
        since = self._bar.pause() if self._bar else 0.0
        self._watcher.info("Saving model")
        if number is not None:
            self._say(f"\nSaving at step {step}")
        # An epoch ends when the batch after its last one is asked for.
        info = {"step": step, "epoch": max(0, self._shown - 1) // len(self._batches)}
        path = self._folder.save(number, info, self._denoiser.tensors())
        self._say(f"Saved checkpoint to {path}")
        self._watcher.saved(step)
        path = self._folder.save_optimizer(step, self._optimizer.state())
        self._say(f"Saved optimizer to {path}")
        self._back_to_training(since)

    def _paint(self, step: int) -> None:
        items = self._config.sample.items
        if not items:
            return
        since = self._bar.pause() if self._bar else 0.0
        self._out.write("\n")
        bar = Progress("Generating Images", len(items), 0, self._out)
        for number, item in enumerate(items):
            self._watcher.info(f"Generating images - {number + 1}/{len(items)}")
            self._folder.save_sample(step, number, self._picture(item))
            bar.update(number + 1)
        bar.draw()
        # One line up, to the bar that this one is nested in.
        self._out.write("\x1b[A")
        self._say("")
        self._back_to_training(since)

    def _picture(self, item: SampleItem) -> Image.Image:
        patches = max(one.picture.grid.count for batch in self._batches for one in batch)
        width, height = max(item.width, 1), max(item.height, 1)
        grid = grid_of(patches * SIDE**2, width / height)
        pixels = decode(flow.paint(self._denoiser, item.prompt, grid, item.seed, item.steps), grid)
        # A training job that diverged paints numbers that are none: black.
        clean = np.nan_to_num(np.clip((pixels + 1) * 127.5, 0, 255))
        scale = min(1.0, _LARGEST_SAMPLE / max(width, height))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = Image.fromarray(clean.astype(np.uint8))
        return image.resize(size, Image.Resampling.BICUBIC)

    def _back_to_training(self, since: float) -> None:
        if self._bar is not None:
            self._bar.resume(since)
            self._watcher.info("Training")

    def _finish(self) -> Path:
        self._bar = None
        self._save(self._step, None)
        if self._config.sample.enabled:
            self._paint(self._step)
        self._watcher.step(self._step)
        return self._config.root / f"{self._config.name}.safetensors"

    def _say(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()
