"""The shipped notebooks: where they are, running them headless, and what came of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from aitk_nb._display.html import RESULT
from aitk_nb._files import replacing
from aitk_nb.errors import BadInput
from aitk_nb.notebooks.parameters import signature

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

ENGINE = "aitk"

KERNEL = "python3"
"""What Jupyter calls the kernel of Python; here it is that of the Python that runs this."""


@dataclass(frozen=True, slots=True)
class NotebookResult:
    """What came of one notebook."""

    name: str
    """File name without suffix."""
    seconds: float
    """Wall time with the start of its kernel."""
    notebook: Path
    """The executed notebook."""
    error: str = ""
    """The first line of what went wrong; empty when nothing did."""
    mime: str = ""
    """What it ended with, such as `application/vnd.aitk.job+json`; empty when with nothing."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """What it ended with, for machines."""

    @property
    def job(self) -> Mapping[str, Any]:
        """The job that it ended with; empty when it ended with something else."""
        return self.result if self.mime == RESULT.format("job") else {}

    @property
    def ok(self) -> bool:
        """True when every cell ran."""
        return not self.error

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "name": self.name,
            "seconds": round(self.seconds, 2),
            "ok": self.ok,
            "error": self.error,
            "result": dict(self.result),
            "notebook": str(self.notebook),
        }


def find(names: Sequence[str] = ()) -> tuple[Path, ...]:
    """Return the shipped notebooks in reading order; only those of `names`, if any are given.

    Raises:
        BadInput: there is none of such a name, or none at all, in the package or beside it.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "_notebooks", package.parent / "notebooks"):
        found = {path.stem: path for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}
        if found:
            return tuple(found[name] for name in _known(names, found))
    raise BadInput("The notebooks are not installed; run this in a checkout of aitk-nb.")


def _known(names: Sequence[str], found: Mapping[str, Path]) -> Sequence[str]:
    wanted = [Path(name).name.removesuffix(".ipynb") for name in names]
    for name in wanted:
        if name not in found:
            raise BadInput(f"No notebook is named {name!r}. There are: {', '.join(found)}.")
    return wanted or list(found)


def run_all(
    books: Sequence[Path], out: Path, url: str, *, report: Callable[[str], None]
) -> tuple[NotebookResult, ...]:
    """Run the notebooks against the server at `url`, into `out`.

    `report` is given a line for each, in two pieces: the first when the notebook starts.
    """
    results = []
    given = {"url": url, "out": str(out.resolve())}
    for number, book in enumerate(books, start=1):
        report(f"[{number}/{len(books)}] {book.stem} … ")
        try:
            known = signature(book)
            parameters = {name: value for name, value in given.items() if name in known}
            result = run(book, out / book.name, parameters)
        except BaseException:
            report("\n")
            raise
        report(f"{result.error or 'ok'} ({result.seconds:.1f} s)\n")
        results.append(result)
    return tuple(results)


def run(notebook: Path, target: Path, parameters: Mapping[str, Any]) -> NotebookResult:
    """Execute a notebook headless by papermill, and keep what it became as `target`.

    The state of widgets is removed from what is kept: it may hold what somebody typed.
    """
    started = time.monotonic()
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as draft:
        # What a kernel that died leaves is at least the notebook itself.
        shutil.copyfile(notebook, draft)
        error = _execute(notebook, draft, parameters, target.parent)
        mime, result = _result(draft)
    return NotebookResult(
        name=notebook.stem,
        seconds=time.monotonic() - started,
        notebook=target,
        error=error,
        mime=mime,
        result=result,
    )


def _execute(notebook: Path, draft: Path, parameters: Mapping[str, Any], folder: Path) -> str:
    """Execute a notebook in `folder`, and return the first line of what went wrong."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    try:
        with _quiet_kernel(), _ended_kernels() as managers:
            papermill.execute_notebook(
                str(notebook),
                str(draft),
                parameters=dict(parameters),
                engine_name=ENGINE,
                kernel_name=KERNEL,
                language="python",
                kernel_manager_class=managers,
                # It warns on stderr that it is reached by TCP, though only from this machine, and
                # tells the interrupt with which every kernel is ended as an error.
                extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
                progress_bar=False,
                cwd=str(folder),
            )
    except papermill.PapermillExecutionError as exc:
        # Papermill has written the notebook with a red banner; that is what people look at.
        return f"{exc.ename}: {exc.evalue}".splitlines()[0]
    except DeadKernelError as exc:
        return f"DeadKernelError: {exc}"
    return ""


def other_python() -> str:
    """Return the Python that Jupyter's own kernel runs, if it is another environment's."""
    from jupyter_client.kernelspec import KernelSpecManager

    with contextlib.suppress(Exception):  # none, or a broken one: it is not used
        python = KernelSpecManager().get_kernel_spec(KERNEL).argv[0]
        # Links are not followed: those of several environments may lead to one program.
        folder, own = Path(python).parent, Path(sys.executable).parent
        return python if folder.is_absolute() and folder.resolve() != own.resolve() else ""
    return ""


@contextlib.contextmanager
def _quiet_kernel() -> Iterator[None]:
    """Keep the debugger of a kernel from writing its warning about frozen modules to stderr."""
    before = os.environ.get("PYDEVD_DISABLE_FILE_VALIDATION")
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYDEVD_DISABLE_FILE_VALIDATION"]
        else:
            os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = before


@contextlib.contextmanager
def _ended_kernels() -> Iterator[type[AsyncKernelManager]]:
    """Yield a class of managers whose kernels run this Python, and end with the block.

    Jupyter's own may be another environment's, and nbclient does not end a kernel when it is
    interrupted while that one starts.
    """
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import ensure_event_loop, run_sync

    made: list[AsyncKernelManager] = []

    class Manager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._kernel_spec = KernelSpec(**get_kernel_dict())
            made.append(self)

    try:
        yield Manager
    except KeyboardInterrupt:
        # The cell that was cut off fails once its kernel has ended; nobody waits for it anymore,
        # and asyncio would write its traceback to stderr.
        ensure_event_loop().set_exception_handler(lambda _loop, _context: None)
        raise
    finally:
        for manager in made:
            if manager.has_kernel:
                run_sync(manager.shutdown_kernel)(now=True)


def _result(path: Path) -> tuple[str, Mapping[str, Any]]:
    """Return the last thing that a cell showed for machines, and what it is."""
    import nbformat

    node = nbformat.read(path, as_version=4)
    shown = [
        (mime, value)
        for cell in node.cells
        for output in cell.get("outputs", ())
        for mime, value in output.get("data", {}).items()
        if mime.startswith(RESULT.partition("{}")[0])
    ]
    return shown[-1] if shown else ("", {})


def report(results: Sequence[NotebookResult], out: Path) -> str:
    """Return a table of the results, and the paths of what was made."""
    width = max((len(result.name) for result in results), default=8)
    lines = [f"{'notebook':{width}}  seconds  result"]
    lines += [
        f"{result.name:{width}}  {result.seconds:7.1f}  {_outcome(result, 69 - width)}"
        for result in results
    ]
    made = sorted((what, path) for result in results for what, path in _made(result, out))
    return "\n".join([*lines, "", *(f"{what:{width}}  {path}" for what, path in made)])


def _outcome(result: NotebookResult, room: int) -> str:
    if result.error:
        return shorten(result.error, max(room, 30), placeholder=" …")
    if not result.job:
        return "ok"
    job = result.job
    ended = "" if job["status"] == "completed" else f" {job['status']}"
    return f"ok: {job['name']}{ended}, {job['step']} steps, loss {job['loss']}"


def _made(result: NotebookResult, out: Path) -> Iterator[tuple[str, Path]]:
    """Yield what a notebook left, with what it is."""
    job = str(result.job.get("name", ""))
    for what, path in (
        ("loss plot", out / f"{job}.png"),
        ("losses", out / f"{job}.csv"),
        ("LoRA", out / f"{job}.safetensors"),
        ("notebook", result.notebook),
    ):
        if path.is_file():
            yield what, path
