"""What only some kinds of server can be asked."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from aitk_nb.backends.base import Backend
from aitk_nb.models import JobState, PlannedRequest


@runtime_checkable
class ListsArchitectures(Protocol):
    """A backend whose server lists the architectures that it can train."""

    @property
    def model_archs(self) -> Mapping[str, Mapping[str, Any]]:
        """What was read of its list, as our own presets have it; empty where it has none."""


@runtime_checkable
class SupportsNotes(Protocol):
    """A backend whose server keeps notes of jobs, and can kill their processes."""

    def kill_job(self, state: JobState) -> bool:
        """Kill the process of a job; False if there was none. It may signal a stranger's."""

    def read_notes(self, state: JobState) -> str:
        """Return the notes of a job; empty if there are none."""

    def write_notes(self, state: JobState, text: str) -> None:
        """Replace the notes of a job."""


def architectures(backend: object) -> Mapping[str, Mapping[str, Any]]:
    """Return what a backend's server lists, which is asked once; empty where it lists nothing."""
    return backend.model_archs if isinstance(backend, ListsArchitectures) else {}


@runtime_checkable
class SupportsDryRun(Protocol):
    """A backend whose changes can be listed without being made."""

    def dry_run(self) -> tuple[Backend, Sequence[PlannedRequest]]:
        """Return a read-only backend of the same server, and the list of requests it holds back.

        The list grows while the backend is used.
        """
