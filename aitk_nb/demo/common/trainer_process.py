"""One run of a trainer: its files, its environment and its process."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aitk_nb.demo.common.store import Store, resolve_below, resolve_inside
from aitk_nb.demo.common.tables import Job

TRAINER = (sys.executable, "-m", "aitk_nb.demo.trainer")

LIVES_ON = "AITK_DEMO_LIVES_ON"
"""Variable with the seconds for which a trainer lives on after its last words."""

SAVE_SECONDS = "AITK_DEMO_SAVE_SECONDS"
"""Variable with the seconds that a checkpoint takes."""

_KEPT = ("PATH", "LD_LIBRARY_PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
_KEPT_WORDS = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Refused(ValueError):
    """The job would read or write where this server must not."""


class Unusable(ValueError):
    """The job config has no process to run, which leaves the real worker without a word."""


@dataclass
class Child:
    """A trainer that this server has started."""

    job_id: str
    log: Path
    process: "subprocess.Popen[bytes]"
    is_watched: bool = True
    """False once nobody notes how the process ends."""

    def interrupt(self) -> None:
        """Ask the process to end."""
        if sys.platform == "win32":
            self.hang_up()
        else:
            self.process.send_signal(signal.SIGINT)

    def hang_up(self) -> None:
        """Close the pipe whose end tells the trainer to end too."""
        if self.process.stdin is not None:
            self.process.stdin.close()

    def ending(self) -> str | None:
        """Return how the process ended badly; None if it ended well."""
        code = self.process.returncode
        if not code:
            return None
        how = f"signal {_signal_name(-code)}" if code < 0 else f"exit code {code}"
        return f"Job process terminated with {how}."


def prepare(store: Store, job: Job, *, with_losses: bool = True) -> Path:
    """Make the job's folder, put its old log away, write its config, and return the folder.

    Without `with_losses` the trainer is one that does not know `logging.use_ui_logger`.
    """
    folder = store.job_folder(job.name)
    if folder is None:
        raise Refused("the name of the job leads out of the output folder")
    folder.mkdir(parents=True, exist_ok=True)
    _put_log_away(folder)
    config = _with_database(job.job_config, store.database_path, with_losses=with_losses)
    _with_folder(config, folder)
    _check(store, config)
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (folder / ".job_config.json").write_bytes(text.encode("utf-8", "replace"))
    return folder


def spawn(
    store: Store, job: Job, folder: Path, command: Sequence[str], manners: Mapping[str, str]
) -> Child:
    """Start the trainer with its output in the log, and a pipe that holds it alive."""
    log = folder / "log.txt"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, str(folder / ".job_config.json")],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=store.data,
            env={**environment(job, os.environ), **manners},
            # Ctrl-C in a terminal is for the server, which then ends its children in order.
            start_new_session=True,
        )
    (folder / "pid.txt").write_text(str(process.pid), "ascii")
    return Child(job.id, log, process)


def inherited(ours: Mapping[str, str]) -> dict[str, str]:
    """Return what a child may see of our environment: the little it needs, and nothing secret."""
    return {name: ours[name] for name in (*_KEPT, *_KEPT_WORDS) if name in ours} | _kernel()


@cache
def _kernel() -> dict[str, str]:
    """Return what makes OpenBLAS take the same kernel on every x86 processor of the last decade.

    Each of its kernels adds up in another order, so that the losses of one training would differ in
    their last digits, and after some hundred steps in their fourth.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", "replace").split()
    except OSError:  # not Linux, where there is no simple way to ask
        return {}
    return {"OPENBLAS_CORETYPE": "Haswell"} if "avx2" in flags else {}


def environment(job: Job, ours: Mapping[str, str]) -> dict[str, str]:
    """Return what the trainer sees: the little it needs, and nothing secret."""
    package_root = Path(__file__).resolve().parents[3]
    return {
        **inherited(ours),
        **dict.fromkeys(_THREADS, "1"),
        "PYTHONPATH": str(package_root),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "AITK_JOB_ID": job.id,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": job.gpu_ids,
        "IS_AI_TOOLKIT_UI": "1",
    }


def append_line(log: Path, message: str) -> None:
    """Add a line to a log, if its folder is still there."""
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"\n{message}\n")
    except OSError:
        return


def last_words(log: Path) -> str:
    """Return the end of a log."""
    try:
        return log.read_text("utf-8", "replace")[-500:]
    except OSError:
        return ""


def _put_log_away(folder: Path) -> None:
    log = folder / "log.txt"
    if not log.exists():
        return
    old = folder / "logs"
    old.mkdir(exist_ok=True)
    count = 0
    while (old / f"{count}_log.txt").exists():
        count += 1
    log.rename(old / f"{count}_log.txt")


def _with_database(text: str, database: Path, *, with_losses: bool) -> dict[str, object]:
    config = json.loads(text)
    try:
        process = config["config"]["process"][0]
        process["sqlite_db_path"] = str(database)
        if not with_losses and isinstance(process.get("logging"), dict):
            process["logging"].pop("use_ui_logger", None)
    except (KeyError, IndexError, TypeError) as exc:
        raise Unusable("job_config has no config.process[0]") from exc
    checked: dict[str, object] = config
    return checked


def _with_folder(config: Mapping[str, object], folder: Path) -> None:
    """Tell an inference engine where it keeps what it makes."""
    inner = config["config"]
    assert isinstance(inner, dict)  # `_with_database` wrote into it
    process = inner["process"][0]
    if process.get("type") == "InferenceEngine":
        process["engine"] = {**(process.get("engine") or {}), "job_folder": str(folder)}


def _check(store: Store, config: dict[str, object]) -> None:
    inner = config["config"]
    assert isinstance(inner, dict)  # `_with_database` wrote into it
    name = inner.get("name")
    if not isinstance(name, str) or not name:
        raise Refused("config.name is missing")
    # The trainer puts the name wherever the config says so.
    process = json.loads(json.dumps(inner["process"][0]).replace("[name]", json.dumps(name)[1:-1]))
    output = process.get("training_folder", "output")
    if not isinstance(output, str):
        raise Refused("training_folder is not text")
    folder = resolve_inside(store.data / output, store.data)
    target = folder and resolve_below(name, folder)
    if target is None or resolve_inside(target, store.datasets) is not None:
        raise Refused(f"training_folder {output!r} leads out of the data folder of this server")
    for dataset in process.get("datasets") or []:
        _check_dataset(store, dataset)
    caption = process.get("caption")
    if isinstance(caption, dict) and (path := caption.get("path_to_caption")) is not None:
        _check_dataset(store, {"folder_path": path})


def _check_dataset(store: Store, dataset: object) -> None:
    if not isinstance(dataset, dict):
        raise Refused("datasets has an entry that is not an object")
    for key in ("folder_path", "dataset_path"):
        path = dataset.get(key)
        if path is None:
            continue
        if not isinstance(path, str) or not resolve_inside(store.data / path, store.datasets):
            raise Refused(f"{key} {path!r} leads out of the datasets folder of this server")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
