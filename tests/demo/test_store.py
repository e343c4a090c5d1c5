"""The folder of a server: what is inside it, who may have it, and what its rows keep."""

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.demo.common.folder_lock import FolderInUse, FolderLock
from aitk_nb.demo.common.store import Store, resolve_below, resolve_inside
from aitk_nb.demo.common.tables import NameTaken, NoSuchJob
from aitk_nb.demo.webui import javascript

JOB = {"name": "cat", "gpu_ids": "0", "job_config": "{}"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An open store in a fresh folder."""
    store = Store(tmp_path.resolve())
    store.open()
    yield store
    store.close()


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", ".", "", "x\0y", "a/../.."])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    """No name reaches the folder itself or what is outside."""
    assert resolve_below(name, tmp_path) is None


def test_links_are_followed_before_they_are_judged(tmp_path: Path) -> None:
    """A link out of the folder is outside, one that stays is inside."""
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)
    (root / "in").symlink_to(root / "real")

    assert resolve_inside(root / "out" / "x", root) is None
    assert resolve_inside(root / "in" / "x", root) == (root / "real" / "x").resolve()
    assert resolve_inside("root/real", root) is None


@given(st.text(max_size=40))
def test_whatever_the_name_it_is_below_or_refused(name: str) -> None:
    """Resolving never fails, and never answers a place outside."""
    root = Path("/some/where").resolve()

    found = resolve_below(name, root)

    assert found is None or root in found.parents


def test_folders_set_outside_are_not_used(store: Store) -> None:
    """The setting is kept and shown, but the server stays in its folder."""
    store.db.set_setting("TRAINING_FOLDER", "/etc")
    store.db.set_setting("DATASETS_FOLDER", str(store.data / "mine"))

    assert store.settings()["TRAINING_FOLDER"] == "/etc"
    assert store.training == store.data / "output"
    assert store.datasets == store.data / "mine"


def test_ids_repeat_and_names_are_unique(store: Store) -> None:
    """The same name gives the same id again; a renamed job keeps its own."""
    first = store.db.create_job(JOB)
    with pytest.raises(NameTaken):
        store.db.create_job(JOB)
    store.db.update_job(first.id, {"name": "dog"})
    second = store.db.create_job(JOB)
    store.db.delete_job(first.id)
    store.db.delete_job(second.id)

    assert second.id != first.id
    assert store.db.create_job(JOB).id == first.id
    with pytest.raises(NoSuchJob):
        store.db.update_job("nobody", {"step": 1})


def test_times_are_shown_in_milliseconds(store: Store) -> None:
    """Timestamps have the form of JavaScript's ISO strings."""
    job = store.db.create_job(JOB)

    assert job.created_at == job.updated_at
    assert len(job.created_at) == len("2026-01-02T03:04:05.678Z")
    assert job.created_at.endswith("Z")


def test_a_folder_has_one_server(store: Store) -> None:
    """Neither this process nor another one gets a folder that is in use."""
    with pytest.raises(FolderInUse, match="this one"):
        Store(store.data).open()
    code = "import sys; from pathlib import Path; from aitk_nb.demo.common.store import Store\n"
    code += "Store(Path(sys.argv[1])).open()"
    run = subprocess.run(
        [sys.executable, "-c", code, str(store.data)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "FolderInUse: A server of process" in run.stderr


def _hold(folder: str) -> None:
    lock = FolderLock(Path(folder))
    lock.acquire()


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    """A process that ended without a word keeps nothing."""
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(str(tmp_path),))
    process.start()
    process.join()
    assert process.exitcode == 0

    lock = FolderLock(tmp_path)
    lock.acquire()
    lock.release()
    lock.acquire()
    lock.release()


@pytest.mark.parametrize(
    ("text", "value"),
    [("", 0), (" 12 ", 12), ("0x10", 16), ("1e3", 1000), ("2.5", 2.5), ("-1", -1), (".5", 0.5)],
)
def test_numbers_are_read_as_javascript_does(text: str, value: float) -> None:
    """`Number()` takes more than decimal digits."""
    assert javascript.number(text) == value


@pytest.mark.parametrize("text", ["abc", "1_0", "1 2", "nan", "inf", "0x", "1e", "\u0661"])
def test_what_is_no_number(text: str) -> None:
    """What Python would take and JavaScript does not is NaN."""
    assert javascript.number(text) != javascript.number(text)


def test_json_is_written_as_javascript_does() -> None:
    """No spaces, no NaN, whole floats without a point, and big integers lose digits."""
    value = javascript.loads(b'{"a": 1.0, "b": 12345678901234567890, "c": [1e-3, null]}')

    assert javascript.dumps(value) == '{"a":1,"b":12345678901234567000,"c":[0.001,null]}'
    assert javascript.dumps({"x": float("nan")}) == '{"x":null}'
    with pytest.raises(ValueError, match="NaN"):
        javascript.loads(b"[NaN]")


@pytest.mark.parametrize("text", ["%", "%zz", "%ff", "a%2"])
def test_broken_escapes_are_refused(text: str) -> None:
    """A path that cannot be decoded is an error, not a guess."""
    with pytest.raises(ValueError, match=r"malformed|utf-8"):
        javascript.decode_component(text)


def test_names_sort_as_people_expect() -> None:
    """Upper and lower case mix, digits come before letters, punctuation before both."""
    names = ["b.png", "B.png", "a.png", "10.png", "_x.png", "é.png", "f.png"]

    assert sorted(names, key=javascript.collation_key) == [
        "_x.png",
        "10.png",
        "a.png",
        "b.png",
        "B.png",
        "é.png",
        "f.png",
    ]
