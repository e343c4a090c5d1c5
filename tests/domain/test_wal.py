"""The reader of SQLite's write-ahead log, against SQLite itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb._wal import HEADER, Wal

Rows = list[tuple[int, str]]
ALL = "SELECT id, words FROM notes ORDER BY id"


class Writer:
    """A database in WAL mode, written by SQLite and looked at from outside."""

    def __init__(self, folder: Path, page_size: int = 4096) -> None:
        self.path = folder / "notes.db"
        self.log = folder / "notes.db-wal"
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute(f"PRAGMA page_size = {page_size}")
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA wal_autocheckpoint = 0")
        self.db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT)")

    def add(self, *sizes: int) -> None:
        """Write a row of each size in one transaction."""
        self.db.execute("BEGIN")
        for size in sizes:
            self.db.execute("INSERT INTO notes (words) VALUES (?)", ("x" * size,))
        self.db.execute("COMMIT")

    def forget(self, every: int) -> None:
        """Delete rows, and give their pages back."""
        self.db.execute("DELETE FROM notes WHERE id % ? = 0", (every,))

    def rows(self) -> Rows:
        """What SQLite says."""
        return self.db.execute(ALL).fetchall()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """An empty database."""
    made = Writer(tmp_path)
    yield made
    made.db.close()


def read(image: bytes) -> Rows:
    """Return the rows of an image."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(image)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute(ALL).fetchall()


def fed(log: bytes) -> Wal:
    """Return a reader that was given the whole log."""
    wal = Wal(log[:HEADER])
    wal.feed(log[HEADER:])
    return wal


def test_the_log_over_the_database_is_what_sqlite_reads(writer: Writer) -> None:
    """Before a checkpoint the database file itself has no table."""
    writer.add(10, 5000, 20)
    wal = fed(writer.log.read_bytes())
    assert read(wal.over(writer.path.read_bytes())) == writer.rows()


def test_a_log_is_fed_piece_by_piece(writer: Writer) -> None:
    """After each commit only the bytes from `end` on are read."""
    wal = Wal(writer.log.read_bytes()[:HEADER])
    for size in (1, 9000, 3):
        writer.add(size)
        log = writer.log.read_bytes()
        new = (len(log) - wal.end) // wal.frame_size
        assert wal.feed(log[wal.end :]) == new
        assert wal.end == len(log)
        assert read(wal.over(writer.path.read_bytes())) == writer.rows()


def test_a_log_begun_anew_has_another_header_and_old_frames_behind_it(writer: Writer) -> None:
    """The old frames are not taken, although the file is as long as before."""
    writer.add(*[3000] * 40)
    before = fed(writer.log.read_bytes())
    writer.db.execute("PRAGMA wal_checkpoint(RESTART)")
    writer.add(7)
    log = writer.log.read_bytes()
    assert len(log) == before.end
    wal = fed(log)
    assert wal.header != before.header
    assert (before.sequence, wal.sequence) == (0, 1)
    assert 0 < wal.frames < before.frames
    assert wal.owns(log[HEADER:])
    assert not wal.owns(log[wal.end :])
    assert read(wal.over(writer.path.read_bytes())) == writer.rows()


def test_frames_without_their_commit_are_read_again(tmp_path: Path, writer: Writer) -> None:
    """What a transaction spills before its end may be rolled back and written over."""
    writer.add(1)
    committed = fed(writer.log.read_bytes())
    writer.db.execute("PRAGMA cache_size = 5")
    writer.db.execute("BEGIN")
    for _ in range(50):
        writer.db.execute("INSERT INTO notes (words) VALUES (?)", ("y" * 4000,))
    spilled = writer.log.read_bytes()
    wal = fed(spilled)
    assert len(spilled) > committed.end
    assert wal.end == committed.end
    writer.db.execute("ROLLBACK")
    writer.add(2)
    wal.feed(writer.log.read_bytes()[wal.end :])
    assert read(wal.over(writer.path.read_bytes())) == writer.rows()


def test_fewer_pages_after_a_vacuum(writer: Writer) -> None:
    """A database that shrank in its log is as long as its last commit says."""
    writer.add(*[3000] * 40)
    writer.forget(2)
    writer.db.execute("VACUUM")
    wal = fed(writer.log.read_bytes())
    image = wal.over(writer.path.read_bytes())
    assert len(image) == writer.db.execute("PRAGMA page_count").fetchone()[0] * 4096
    assert read(image) == writer.rows()


def test_a_database_without_a_log(writer: Writer, tmp_path: Path) -> None:
    """After a clean end."""
    writer.add(4)
    rows = writer.rows()
    writer.db.close()
    assert not writer.log.exists()
    assert read(Wal.alone(writer.path.read_bytes())) == rows


@pytest.mark.parametrize("page_size", [512, 1024, 65536])
def test_other_page_sizes(tmp_path: Path, page_size: int) -> None:
    """All that SQLite knows."""
    writer = Writer(tmp_path, page_size)
    writer.add(10, 70000)
    wal = fed(writer.log.read_bytes())
    assert wal.page_size == page_size
    assert read(wal.over(writer.path.read_bytes())) == writer.rows()
    writer.db.close()


@given(
    st.lists(
        st.one_of(
            st.lists(st.integers(0, 9000), min_size=1, max_size=5),
            st.sampled_from(["forget", "checkpoint", "restart", "look"]),
        ),
        max_size=15,
    )
)
def test_any_history_of_transactions(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[int] | str]
) -> None:
    """A reader that looks now and then, as the loss follower does, has what SQLite has."""
    writer = Writer(tmp_path_factory.mktemp("wal"))
    wal, base = None, b""
    for event in [*history, [1], "look"]:
        if event == "look":
            log = writer.log.read_bytes()
            if wal is None or wal.header != log[:HEADER]:
                wal, base = Wal(log[:HEADER]), writer.path.read_bytes()
            wal.feed(log[wal.end :])
            assert read(wal.over(base)) == writer.rows()
        elif event == "forget":
            writer.forget(2)
        elif event == "checkpoint":
            writer.db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        elif event == "restart":
            writer.db.execute("PRAGMA wal_checkpoint(RESTART)")
        else:
            writer.add(*event)
    writer.db.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, list[Rows]]:
    """A database, its log of five commits, and the rows after each."""
    writer = Writer(tmp_path_factory.mktemp("sample"))
    states: list[Rows] = [[]]
    for size in (10, 20, 6000, 30):
        writer.add(size)
        states.append(writer.rows())
    found = writer.path.read_bytes(), writer.log.read_bytes(), states
    writer.db.close()
    return found


@given(st.data())
def test_a_log_cut_or_damaged_anywhere_gives_an_earlier_state(
    sample: tuple[bytes, bytes, list[Rows]], data: st.DataObject
) -> None:
    """Never rows that no commit made; a frame that is half written does not count."""
    database, log, states = sample
    at = data.draw(st.integers(HEADER, len(log) - 1))
    if data.draw(st.booleans()):
        log = log[:at]
    else:
        log = log[:at] + bytes([log[at] ^ data.draw(st.integers(1, 255))]) + log[at + 1 :]
    wal = fed(log)
    if wal.frames > 1:  # the first commit makes the file, the second the table
        assert read(wal.over(database)) in states


@given(st.binary(max_size=64))
def test_what_is_no_log_is_refused(content: bytes) -> None:
    """By an error of one kind."""
    with pytest.raises(ValueError):
        Wal(content)


@given(st.binary(max_size=20000))
def test_any_bytes_behind_a_header(sample: tuple[bytes, bytes, list[Rows]], content: bytes) -> None:
    """They are no frames."""
    wal = Wal(sample[1][:HEADER])
    assert wal.feed(content) == 0
    assert wal.frames == 0
