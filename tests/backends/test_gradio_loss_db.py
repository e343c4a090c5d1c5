"""A loss database followed through its write-ahead log, against what SQLite itself reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.backends.gradio.files import FileRoute, FileStat
from aitk_nb.backends.gradio.loss_db import LossFollower
from aitk_nb.errors import UnexpectedReply
from aitk_nb.models.loss import LossPoint

ROWS = "SELECT step, wall_time, value_real FROM metrics JOIN steps USING (step) ORDER BY step"


class LocalRoute(FileRoute):
    """Reads files of this machine as if a server showed them, and counts the bytes."""

    def __init__(self) -> None:
        self.got = 0

    def stat(self, path: str) -> FileStat | None:
        """Return the file as it is now."""
        file = Path(path)
        if not file.exists():
            return None
        content = file.read_bytes()
        return FileStat(len(content), str(hash(content)))

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return bytes of the file, or fail as the server's route does."""
        content = Path(path).read_bytes()[start:stop] if Path(path).exists() else b""
        if len(content) != stop - start:
            raise UnexpectedReply("read a file", "fewer bytes than asked")
        self.got += len(content)
        return content


class Writer:
    """A loss database in WAL mode, written by SQLite."""

    def __init__(self, folder: Path, page_size: int = 4096) -> None:
        self.path = folder / "loss_log.db"
        self.log = folder / "loss_log.db-wal"
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute(f"PRAGMA page_size = {page_size}")
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA wal_autocheckpoint = 0")
        self.db.execute("CREATE TABLE steps (step INTEGER PRIMARY KEY, wall_time REAL)")
        self.db.execute("CREATE TABLE metrics (step INTEGER, key TEXT, value_real, value_text)")
        self.step = 0

    def add(self, *sizes: int) -> None:
        """Log a step with a text of each size beside its value, all in one transaction."""
        self.db.execute("BEGIN")
        for size in sizes:
            self.step += 1
            self.db.execute("INSERT INTO steps VALUES (?, ?)", (self.step, self.step * 0.5))
            row = (self.step, "loss/loss", 1 / self.step, "x" * size)
            self.db.execute("INSERT INTO metrics VALUES (?, ?, ?, ?)", row)
        self.db.execute("COMMIT")

    def forget(self, every: int) -> None:
        """Delete rows, and return their pages."""
        self.db.execute("DELETE FROM metrics WHERE step % ? = 0", (every,))

    def rows(self) -> list[LossPoint]:
        """What SQLite says."""
        return [LossPoint(*row) for row in self.db.execute(ROWS)]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """An empty database."""
    made = Writer(tmp_path)
    yield made
    made.db.close()


def follower(path: Path) -> LossFollower:
    """Return a follower of a database on this machine."""
    return LossFollower(LocalRoute(), str(path))


def fresh(path: Path) -> list[LossPoint]:
    """Return what a follower reads that knows nothing yet."""
    known = follower(path)
    known.refresh()
    return list(known.points("loss/loss", None))


def test_only_new_frames_are_fetched(writer: Writer) -> None:
    """Also when the log was begun again, and old frames lie behind the new ones."""
    route = LocalRoute()
    known = LossFollower(route, str(writer.path))
    for event in (None, "PRAGMA wal_checkpoint(RESTART)"):
        writer.add(*[3000] * 40)
        if event:
            writer.db.execute(event)
        for count in (1, 60, 1, 200, 3):
            writer.add(*[10] * count)
            before, got = writer.log.stat().st_size, route.got
            assert known.refresh()
            assert known.points("loss/loss", None) == writer.rows()
        assert route.got - got < 30 * 4120 < before


def test_frames_without_their_commit_are_read_again(writer: Writer) -> None:
    """What a transaction writes before its end may be rolled back and overwritten."""
    known = follower(writer.path)
    writer.add(1)
    assert known.refresh()
    writer.db.execute("PRAGMA cache_size = 5")
    writer.db.execute("BEGIN")
    for step in range(1000, 1050):
        writer.db.execute("INSERT INTO metrics VALUES (?, 'a', 1, ?)", (step, "y" * 4000))
    known.refresh()
    assert known.points("loss/loss", None) == writer.rows()
    writer.db.execute("ROLLBACK")
    writer.add(2)
    assert known.refresh()
    assert known.points("loss/loss", None) == writer.rows()
    assert known.keys() == ("loss/loss",)


@pytest.mark.parametrize("page_size", [512, 1024, 65536])
def test_other_page_sizes(tmp_path: Path, page_size: int) -> None:
    """All that SQLite knows."""
    writer = Writer(tmp_path, page_size)
    writer.add(10, 70000)
    assert fresh(writer.path) == writer.rows()
    writer.db.close()


@given(
    st.lists(
        st.one_of(
            st.lists(st.integers(0, 9000), min_size=1, max_size=5),
            st.sampled_from(["forget", "vacuum", "checkpoint", "restart", "look"]),
        ),
        max_size=15,
    )
)
def test_any_history_of_transactions(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[int] | str]
) -> None:
    """A follower that looks now and then has what SQLite has."""
    writer = Writer(tmp_path_factory.mktemp("wal"))
    known = follower(writer.path)
    commands = {
        "vacuum": "VACUUM",
        "checkpoint": "PRAGMA wal_checkpoint(PASSIVE)",
        "restart": "PRAGMA wal_checkpoint(RESTART)",
    }
    for event in [*history, [1], "look"]:
        if event == "look":
            known.refresh()
            assert known.points("loss/loss", None) == writer.rows()
        elif event == "forget":
            writer.forget(2)
        elif isinstance(event, str):
            writer.db.execute(commands[event])
        else:
            writer.add(*event)
    writer.db.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, list[list[LossPoint]]]:
    """A database, the bytes of its log of several commits, and the rows after each."""
    writer = Writer(tmp_path_factory.mktemp("sample"))
    states: list[list[LossPoint]] = [[]]
    for size in (10, 20, 6000, 30):
        writer.add(size)
        states.append(writer.rows())
    database, log = writer.path.read_bytes(), writer.log.read_bytes()
    writer.db.close()
    writer.path.write_bytes(database)
    return writer.path, log, states


@given(st.data())
def test_a_log_cut_or_damaged_anywhere_gives_an_earlier_state(
    sample: tuple[Path, bytes, list[list[LossPoint]]], data: st.DataObject
) -> None:
    """Never rows that no commit made; a frame that is half written does not count."""
    path, log, states = sample
    at = data.draw(st.integers(0, len(log) - 1))
    damaged = log[:at]
    if data.draw(st.booleans()):
        damaged += bytes([log[at] ^ data.draw(st.integers(1, 255))]) + log[at + 1 :]
    wal = path.with_name(path.name + "-wal")
    wal.write_bytes(damaged)
    known = follower(path)
    known.refresh()
    assert known.points("loss/loss", None) in states
    # Once it is whole, nothing of the damage is left.
    wal.write_bytes(log)
    assert known.refresh()
    assert known.points("loss/loss", None) == states[-1]


def test_a_damaged_database_is_one_sentence(tmp_path: Path) -> None:
    """It is not mistaken for one without losses."""
    path = tmp_path / "loss_log.db"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(UnexpectedReply, match="damaged database"):
        follower(path).refresh()


def test_the_copy_is_removed_with_its_follower(writer: Writer) -> None:
    """Nothing stays in the temporary folder."""
    writer.add(1)
    known = follower(writer.path)
    known.refresh()
    folder = known._copy.parent
    assert folder.exists()
    del known
    assert not folder.exists()
