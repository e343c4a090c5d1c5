"""`Samples`: what a training drew of its prompts, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from aitk_nb import _html
from aitk_nb._images import thumbnail
from aitk_nb._units import plural
from aitk_nb.backends.base import Backend
from aitk_nb.backends.wire.parallel import each
from aitk_nb.errors import AitkError
from aitk_nb.models.dataset import IMAGES, SOUNDS, VIDEOS
from aitk_nb.models.job import Sample
from aitk_nb.training.config_paths import MISSING, value_at
from aitk_nb.training.effective import effective_of

LIMIT = 24
"""Samples that are fetched to be shown: their thumbnails take about 0.4 MB in a notebook."""

_EDGE = 300
"""Pixels of a thumbnail, as the server itself makes them."""
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

    def _repr_html_(self) -> _html.Html:
        if not self:
            return _html.note("No samples yet.")
        by_prompt: dict[tuple[int, str], list[Sample]] = {}
        for one in reversed(self.shown):
            by_prompt.setdefault((one.index, one.prompt), []).append(one)
        grid = _html.gallery(
            (prompt or f"prompt {index + 1}", [(_content(one), _label(one)) for one in made])
            for (index, prompt), made in sorted(by_prompt.items())
        )
        if len(self.shown) == len(self):
            return grid
        words = f"The newest {len(self.shown)} of {len(self)}; job.samples(limit=…) shows more."
        return _html.join([grid, _html.note(words)])


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


def _label(sample: Sample) -> str:
    return f"step {sample.step}" if sample.step >= 0 else sample.name


def _content(sample: Sample) -> _html.Html:
    """Return what shows a sample."""
    if sample.thumbnail:
        return _html.picture("jpeg", sample.thumbnail, f"{sample.prompt}, {_label(sample)}")
    if sample.text:
        return _html.code(sample.text)
    kinds = {".txt": "an empty text", **dict.fromkeys(VIDEOS, "a video")}
    kind = {**kinds, **dict.fromkeys(SOUNDS, "sound")}.get(_suffix(sample), "can't be shown")
    return _html.note(f"{sample.name} ({kind})")
