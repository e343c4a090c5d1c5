"""`safe_to_stop`: what is lost if the machine of a server stops now, as its disk is erased then."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from aitk_nb._display import html
from aitk_nb._files import sha256
from aitk_nb._local_copies import LocalCopies
from aitk_nb._units import plural, size, some
from aitk_nb.backends.base import Backend, Upload
from aitk_nb.backends.optional import SupportsNotes
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.errors import NotSupported, Rejected, UnexpectedReply
from aitk_nb.jobs.checkpoints import ENDING, saved_steps
from aitk_nb.jobs.downloads import digest_if_same, unfinished
from aitk_nb.models.checklist import Check, Checklist, ChecklistReport, Status
from aitk_nb.models.job import JobState, JobStatus, RemoteFile
from aitk_nb.models.server import Flavour
from aitk_nb.training.config_paths import folder_name
from aitk_nb.training.effective import effective_of

_WITHOUT_CHECKPOINTS = {"caption", "inference"}

_UNREADABLE = (NotSupported, Rejected, UnexpectedReply)
_UNSEEN = "Look on the server itself, and copy what you need: scp -r SERVER:ai-toolkit/output ."


@dataclass(frozen=True, slots=True)
class SafeToStop(ChecklistReport):
    """Whether the machine of a server may be stopped; it is true or false itself.

    Red, and false, is: a job of any type that runs or waits, steps that are not saved, a checkpoint
    of any job, or a file or caption of a dataset that is not on this computer, and whatever the
    server does not show. A file is here if aitk-nb has downloaded or uploaded it, or if it lies in
    one of the `folders`, and its SHA-256, computed now, is right. Samples, losses, optimizer state
    and notes are only named. Each red line has the call that mends it.

    Example:
        >>> if not client.safe_to_stop():
        ...     print("Not yet.")
        Not yet.
    """

    checks: Checklist[Check]
    """What would be lost: a problem for all that counts, and a warning for the rest."""

    def __bool__(self) -> bool:
        return self.ok

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        if self.ok:
            return "Safe to stop: nothing that counts is on the server alone."
        return f"Not safe to stop, for {plural(len(self.problems), 'reason')}."

    def __repr__(self) -> str:
        return "\n".join([self.verdict, *map(str, self.checks)])

    def _repr_html_(self) -> html.Html:
        light = html.badge(self.verdict, "ok" if self.ok else "error")
        return html.join([light, self.checks.html()] if self.checks else [light])


def safe_to_stop(backend: Backend, folders: Sequence[str | Path] = ()) -> SafeToStop:
    """Return what is on a server alone; see `AIToolkitClient.safe_to_stop`."""
    copies = LocalCopies(folders)
    checks: list[Check] = []
    if backend.flavour is Flavour.GRADIO:
        words = "A Gradio app shows nothing but what this computer started."
        checks.append(_red("the app", words, _UNSEEN))
    looks = [partial(_jobs, backend, copies), partial(_datasets, backend, copies)]
    for name, look in zip(("jobs", "datasets"), looks, strict=True):
        checks += _seen(name, look)
    return SafeToStop(Checklist(sorted(checks, key=lambda one: one.status is not Status.PROBLEM)))


def _red(name: str, message: str, remedy: str) -> Check:
    return Check(name, Status.PROBLEM, message, remedy)


def _seen(name: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """Return what a look finds; what the server does not show is a problem."""
    try:
        return list(look())
    except _UNREADABLE as exc:
        return [_red(name, f"It can't be seen: {exc}", _UNSEEN)]


def _jobs(backend: Backend, copies: LocalCopies) -> Iterator[Check]:
    def look(state: JobState) -> list[Check]:
        return _seen(state.name, partial(_job, backend, copies, state))

    for found in each_or_raise(look, backend.all_jobs()):
        yield from found


def _job(backend: Backend, copies: LocalCopies, state: JobState) -> Iterator[Check]:
    call, trains = f"client.jobs.get({state.name!r})", state.job_type not in _WITHOUT_CHECKPOINTS
    if not state.status.is_final:
        save = "save=True" if trains and state.status is JobStatus.RUNNING else ""
        engine = state.job_type == "inference"
        stop = "client.inference.stop()" if engine else f"{call}.stop({save})"
        yield _red(state.name, f"{state.label} is {state.status.value}.", stop)
    if not trains:
        return
    files = backend.list_files(state)
    loras = [file for file in files if file.name.endswith(ENDING)]
    missing = [file for file in loras if not _is_here(backend, file, copies)]
    if state.status.is_final and (half := [unfinished(backend, file) for file in missing]):
        missing = [file for file, why in zip(missing, half, strict=True) if not why]
        words = " ".join(filter(None, half))
        yield from [Check(state.name, Status.WARNING, words)] * bool(words)
    if missing:
        many = plural(len(missing), "checkpoint")
        words = f"{many} not here: {some([file.name for file in missing])}."
        yield _red(state.name, words, f'{call}.download("loras", "all")')
    # The final file of a job that runs again is that of an earlier run.
    numbered = [file for file in loras if file.name != f"{state.name}{ENDING}"]
    unsaved = state.step - max(saved_steps(state, numbered), default=0)
    if unsaved > 0 and not state.status.is_final:
        yield _red(state.name, f"{plural(unsaved, 'step')} not saved.", f"{call}.stop(save=True)")
    elif state.step > 0 and not loras:
        words = f"It trained {plural(state.step, 'step')}, and the server lists no checkpoint."
        yield _red(state.name, words, f"{_UNSEEN} Then {call}.delete().")
    yield from _lesser(backend, state, files, copies)


def _is_here(backend: Backend, file: RemoteFile, copies: LocalCopies) -> bool:
    return any(
        digest_if_same(backend, file, path, copies.recorded) for path in copies.of_size(file.size)
    )


def _lesser(
    backend: Backend, state: JobState, files: Sequence[RemoteFile], copies: LocalCopies
) -> Iterator[Check]:
    """Yield what is named only: samples, losses, optimizer state and notes."""
    parts = [f"{file.name} ({size(file.size)})" for file in files if not file.name.endswith(ENDING)]
    with suppress(NotSupported):
        samples = [one for one in backend.list_samples(state) if one.name not in copies.names]
        parts += [plural(len(samples), "sample")] * bool(samples)
    if state.step > 0:
        parts.append("losses")
    if isinstance(backend, SupportsNotes):
        with suppress(NotSupported):
            parts += ["notes"] * bool(backend.read_notes(state))
    if parts:
        yield Check(state.name, Status.WARNING, f"Also lost then: {', '.join(parts)}.")


def _datasets(backend: Backend, copies: LocalCopies) -> Iterator[Check]:
    entries: list[Any] = []
    with suppress(*_UNREADABLE):  # which the look at the jobs tells
        for state in backend.all_jobs():
            entries += effective_of(state.config).get("datasets", ())
    for name in backend.list_datasets():
        # A listing shows .txt captions only; other endings are those that a job reads.
        named = [one for one in entries if folder_name(str(one.get("folder_path"))) == name]
        endings = dict.fromkeys([".txt", *(str(one["caption_ext"]) for one in named)])
        yield from _seen(name, partial(_dataset, backend, copies, name, tuple(endings)))


def _dataset(
    backend: Backend, copies: LocalCopies, name: str, endings: Sequence[str]
) -> Iterator[Check]:
    info, tools = backend.get_dataset(name), backend.dataset_tools
    texts = {
        (image, ending): text.strip()
        for ending in endings
        for image, text in (
            info.captions if ending == ".txt" else tools.captions(name, info.images, ending)
        ).items()
    }
    noted = {file for file in tools.noted(name) if not file.endswith(".txt")}
    sizes = tools.sizes(name, sorted({*info.images, *noted}))
    left = {file for file, many in sizes.items() if many is not None or file in info.images}
    captions = {key for key, text in texts.items() if text}
    folders: dict[Path, dict[str, Upload]] = {}
    for file, many in sizes.items():
        for path in copies.of_size(many or 0):
            if PurePosixPath(file).name in {path.name, *backend.server_names("", [path.name])[1]}:
                found = Upload(path, file, many or 0, sha256(path))
                folders.setdefault(path.parent, {})[file] = found
                captions -= {
                    (file, end) for end in endings if _text(path, end) == texts.get((file, end), "")
                }
    for uploads in folders.values():
        absent, differing = backend.missing(name, [*uploads.values()])
        left -= uploads.keys() - {upload.name for upload in (*absent, *differing)}
    kinds = {"file": left, "caption": {image for image, _ending in captions}}
    parts = [
        f"{plural(len(names), kind)} ({some(sorted(names))})"
        for kind, names in kinds.items()
        if names
    ]
    if parts:
        words = f"The dataset has what is not here: {' and '.join(parts)}."
        ending = next((ending for _image, ending in captions if ending != ".txt"), "")
        option = f", caption_ext={ending!r}" if ending else ""
        yield _red(name, words, f'client.datasets.download({name!r}, "datasets"{option})')


def _text(image: Path, ending: str) -> str:
    """Return the caption of an image here, in the file of that ending."""
    with suppress(OSError, ValueError):
        return image.with_suffix(ending).read_bytes().decode(errors="replace").strip()
    return ""
