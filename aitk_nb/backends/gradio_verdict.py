"""`judge`: what became of a training whose line was lost, from what can still be seen."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Evidence", "Verdict", "judge"]


class Verdict(enum.Enum):
    """What holds of a training that nobody reports on."""

    FINISHED = "finished"
    TRAINING = "still training"
    RESTARTED = "server restarted"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of the server and of the job's folder."""

    answers: bool = True
    """Whether the server answers at all."""
    same_server: bool = True
    """Whether it is the process that the training was given to."""
    accepted: bool = False
    """Whether the job's `config.yaml` is there: the trainer has begun."""
    has_lora: bool = False
    """Whether the final LoRA is there, and not from an earlier training."""
    folded: bool = False
    """Whether the loss log was closed in order."""
    has_log: bool = False
    """Whether there is a loss log at all."""
    ended: int | None = None
    """Trainings of anybody that have ended since; None where the server does not tell."""
    moved: bool = False
    """Whether the loss log has grown between two looks, or a moment ago."""


def judge(seen: Evidence) -> tuple[Verdict, str]:
    """Return what holds, and what that is known from."""
    if not seen.answers:
        return Verdict.UNKNOWN, (
            "The server does not answer: it, or the line to it, is down. The training may go on."
        )
    if seen.has_lora and (seen.folded or not seen.has_log):
        return Verdict.FINISHED, "The LoRA is there, and the loss log is closed."
    if not seen.same_server:
        return Verdict.RESTARTED, (
            "The server was started anew since, so that the training has ended without its LoRA. "
            "Upload the dataset again and start it with if_exists='resume' to go on from its last "
            "checkpoint."
        )
    if seen.moved:
        return Verdict.TRAINING, "The line was lost; the server trains on."
    if seen.ended == 0 and seen.accepted:
        return Verdict.TRAINING, (
            "The line was lost; the server has begun this training and has ended none since."
        )
    if not seen.accepted:
        return Verdict.UNKNOWN, "Nothing of the training can be seen on the server."
    return Verdict.UNKNOWN, (
        "The line was lost, the loss log stands still, and there is no LoRA: it may have failed, "
        "or be busy with a long step."
    )
