"""`Samples`: what a training drew of its prompts, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from aitk_nb._display import html
from aitk_nb._display.images import thumbnail
from aitk_nb._units import plural
from aitk_nb.backends.base import Backend
from aitk_nb.backends.wire.parallel import each
from aitk_nb.errors import AitkError
from aitk_nb.models.dataset import IMAGES, SOUNDS, VIDEOS
from aitk_nb.models.job import Sample
from aitk_nb.pictures.drawing import Tile
from aitk_nb.pictures.grid import PictureGrid
from aitk_nb.training.config_paths import MISSING, folder_name, value_at
from aitk_nb.training.effective import effective_of

LIMIT = 24
"""Samples that are fetched to be shown: their thumbnails take about 0.4 MB in a notebook."""

_EDGE = 300
"""Pixels of a thumbnail, as the server itself makes them."""
_LARGEST = 2**20
"""Bytes of a picture of the trainer's that are fetched at most."""
_BYTES = 4000
"""Bytes of a text that are fetched."""
_LETTERS = 400
"""Letters of a prompt that are shown."""


class Samples(tuple[Sample, ...]):
    """The samples of a job, oldest first; a notebook shows them by prompt and step.

    Showing them asks the server for nothing: `shown` was fetched when they were listed.

    Example:
        >>> job.samples()  # of a job without prompts
        <no samples>
    """

    shown: tuple[Sample, ...]
    """The newest ones, with their thumbnails or texts."""

    def __new__(cls, listed: Iterable[Sample], shown: Iterable[Sample] = ()) -> Samples:
        """Return all that are listed, of which `shown` are shown."""
        made = super().__new__(cls, listed)
        made.shown = tuple(shown)
        return made

    def __repr__(self) -> str:
        if not self:
            return "<no samples>"
        prompts, steps = len({one.index for one in self}), len({one.step for one in self})
        of = f"of {plural(prompts, 'prompt')} at {plural(steps, 'step')}"
        return f"<{plural(len(self), 'sample')} {of}>"

    @property
    def grid(self) -> PictureGrid:
        """What is shown, by prompt and step, the newest step first; it asks the server nothing."""
        return sample_grid([("", self)], newest_first=True)

    def _repr_html_(self) -> html.Html:
        return self.grid._repr_html_() if self else html.note("No samples yet.")


def sample_grid(jobs: Sequence[tuple[str, Samples]], *, newest_first: bool = False) -> PictureGrid:
    """Return what is shown of the samples of jobs, in a row for each prompt and job.

    Args:
        jobs: The samples of each job, with its name where there are several.
        newest_first: Whether the newest step is the first column.
    """
    shown = [
        ((one.prompt or f"prompt {one.index + 1}", number, one.index, name), one)
        for number, (name, samples) in enumerate(jobs)
        for one in samples.shown
    ]
    # Prompts in the order of the first job that has them, so that its rows are beside the others'.
    first: dict[str, tuple[int, int]] = {}
    for (prompt, number, index, _), _one in sorted(shown, key=lambda pair: pair[0][1:3]):
        first.setdefault(prompt, (number, index))
    rows = sorted({key for key, _ in shown}, key=lambda key: (first[key[0]], key[1:]))
    columns = sorted({_column(one) for _, one in shown}, reverse=newest_first)
    labels = [label for _, label in columns]
    tiles = {
        (rows.index(key), columns.index(_column(one))): Tile(one.thumbnail, _words(one))
        for key, one in shown
    }
    listed, fetched = sum(len(samples) for _, samples in jobs), len(shown)
    note = f"The newest {fetched} of {listed}; limit=… shows more." if fetched < listed else ""
    captions = [f"{prompt} · {name}" if name else prompt for prompt, _, _, name in rows]
    return PictureGrid(captions, labels, tiles, note)


def fetch_samples(
    backend: Backend,
    listed: Iterable[Sample],
    config: Mapping[str, Any],
    limit: int,
    known: Iterable[Sample] = (),
) -> Samples:
    """Return what is listed with its prompts, and of the newest `limit` what shows them.

    Args:
        backend: What sends the requests.
        listed: The samples, oldest first.
        config: The job's config, for the prompts.
        limit: How many to fetch at most, in whole steps as far as they fit.
        known: Samples that were fetched before, and are not fetched again.
    """
    prompts = prompts_of(config)
    named = [
        replace(one, prompt=prompts[one.index]) if 0 <= one.index < len(prompts) else one
        for one in listed
    ]
    before = {one.path: one for one in known if one.thumbnail or one.text}
    newest = _newest(named, limit)

    def fetched(one: Sample) -> Sample:
        if (had := before.get(one.path)) is not None:
            return replace(one, thumbnail=had.thumbnail, text=had.text)
        kind = _suffix(one)
        if kind in IMAGES:
            return replace(one, thumbnail=thumbnail(backend.thumbnail(one.path), _EDGE))
        if kind == ".txt":
            with backend.open_range(one.path) as read:
                return replace(one, text=read(0, _BYTES).decode("utf-8", "replace"))
        if kind in VIDEOS | SOUNDS:
            # The trainer draws the first frame, or the waveform.
            name = folder_name(one.path)
            with backend.open_range(f"{one.path.removesuffix(name)}.thumbs/{name}.jpg") as read:
                return replace(one, thumbnail=thumbnail(read(0, _LARGEST), _EDGE))
        return one

    outcomes = zip(newest, each(fetched, newest), strict=True)
    shown = [one if isinstance(made, AitkError) else made for one, made in outcomes]
    made_of = {one.path: one for one in shown}
    return Samples((made_of.get(one.path, one) for one in named), shown)


def prompts_of(config: Mapping[str, Any]) -> list[str]:
    """Return the prompts of a job config as the trainer draws them; empty if it draws none."""
    read = effective_of(config)
    listed, word = value_at(read, "sample.samples"), value_at(read, "trigger_word")
    if not isinstance(listed, list) or value_at(read, "train.disable_sampling") is True:
        return []
    texts = [str(one.get("prompt") or "") if isinstance(one, dict) else "" for one in listed]
    known = isinstance(word, str) and word is not MISSING
    return [(text.replace("[trigger]", word) if known else text)[:_LETTERS] for text in texts]


def _newest(samples: list[Sample], limit: int) -> list[Sample]:
    """Return the newest samples, in whole steps as far as they fit."""
    chosen: list[Sample] = []
    for step in sorted({one.step for one in samples}, reverse=True):
        made = [one for one in samples if one.step == step]
        if chosen and len(chosen) + len(made) > limit:
            break
        chosen = made[: max(0, limit)] + chosen
    return chosen


def _suffix(sample: Sample) -> str:
    return PurePosixPath(sample.name).suffix.lower()


def _column(sample: Sample) -> tuple[int, str]:
    """Return the place and the label of a sample's column."""
    known = sample.step >= 0
    return sample.step, f"step {sample.step}" if known else sample.name


def _words(sample: Sample) -> str:
    """Return what is shown of a sample without a picture."""
    if sample.text or sample.thumbnail:
        return sample.text
    kinds = {".txt": "an empty text", **dict.fromkeys(VIDEOS, "a video")}
    kind = {**kinds, **dict.fromkeys(SOUNDS, "sound")}.get(_suffix(sample), "can't be shown")
    return f"{sample.name} ({kind})"
