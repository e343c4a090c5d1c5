"""What every backend keeps about logs and losses, whatever its server answers on the wire.

A test names the abilities it needs and is skipped, visibly, where a server lacks one.
"""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

from aitk_nb.backends.base import Backend
from aitk_nb.models.job import LogChunk
from aitk_nb.models.server import Ability, Flavour
from tests.backends.abilities import draft, needs, only

POINTS = 45_000


def test_a_log_is_read_on_from_where_it_was(backend: Backend, output: Path) -> None:
    """Bytes count, not characters: a cat has four."""
    needs(backend, Ability.LOG)
    state = backend.create_job(draft(backend, "logged"))
    assert LogChunk("", 0, reset=True) == backend.read_log(state, None)
    (output / "logged").mkdir(parents=True)
    log = output / "logged" / "log.txt"
    log.write_bytes("first 🐈\n".encode())

    first = backend.read_log(state, None)
    with log.open("ab") as file:
        file.write("second █▊\r third".encode())
    second = backend.read_log(state, first.offset)
    third = backend.read_log(state, second.offset)
    log.write_bytes(b"new\n")
    after_restart = backend.read_log(state, third.offset)

    assert ("first 🐈\n", 11, True) == (first.text, first.offset, first.reset)
    assert ("second █▊\r third", False) == (second.text, second.reset)
    assert ("", second.offset, False) == (third.text, third.offset, third.reset)
    assert ("new\n", 4, True) == (after_restart.text, after_restart.offset, after_restart.reset)


def write_losses(folder: Path, keys: tuple[str, ...], steps: int) -> None:
    """Write a database of losses as the trainer does; every thousandth value is no number."""
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "loss_log.db")) as db:
        db.executescript(
            "CREATE TABLE steps (step INTEGER PRIMARY KEY, wall_time REAL NOT NULL);"
            "CREATE TABLE metric_keys (key TEXT PRIMARY KEY, first_seen_step INTEGER,"
            " last_seen_step INTEGER);"
            "CREATE TABLE metrics (step INTEGER NOT NULL, key TEXT NOT NULL, value_real REAL,"
            " value_text TEXT, PRIMARY KEY (step, key),"
            " FOREIGN KEY (step) REFERENCES steps (step) ON DELETE CASCADE);"
            "CREATE INDEX idx_metrics_key_step ON metrics (key, step);"
        )
        numbers = range(steps)
        db.executemany("INSERT INTO steps VALUES (?, ?)", [(n, 1e9 + n) for n in numbers])
        for key in keys:
            rows = [(n, key, None if n % 1000 == 999 else n / 2, None) for n in numbers]
            db.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?)", rows)
            db.execute("INSERT INTO metric_keys VALUES (?, 0, ?)", [key, steps - 1])
        db.commit()


def test_losses_are_complete_however_long(backend: Backend, output: Path) -> None:
    """More than one page, from the first step to the last, each once; then only what is new."""
    needs(backend, Ability.LOSSES)
    only(backend, Flavour.WEBUI, "where a job of a Gradio app writes is known once it has begun")
    state = backend.create_job(draft(backend, "long losses 🐈"))
    assert () == backend.loss_keys(state)
    write_losses(output / "long losses 🐈", ("loss/loss", "learning_rate"), POINTS)

    assert {"loss/loss", "learning_rate"} == set(backend.loss_keys(state))
    pages = list(backend.read_losses(state, "loss/loss", None))
    points = [point for page in pages for point in page.points]

    assert list(range(POINTS)) == [point.step for point in points]
    assert len(pages) > 1
    assert math.isnan(points[999].value)
    assert (500.0, 1e9 + 1000) == (points[1000].value, points[1000].wall_time)
    (tail,) = backend.read_losses(state, "loss/loss", POINTS - 4)
    assert [POINTS - 3, POINTS - 2, POINTS - 1] == [point.step for point in tail.points]
    (nothing,) = backend.read_losses(state, "loss/loss", POINTS)
    assert () == nothing.points
    (unknown,) = backend.read_losses(state, "no such key", None)
    assert () == unknown.points


def test_a_page_that_is_just_full_is_not_the_last(backend: Backend, output: Path) -> None:
    """Forty thousand points are two full pages."""
    needs(backend, Ability.LOSSES)
    only(backend, Flavour.WEBUI, "where a job of a Gradio app writes is known once it has begun")
    state = backend.create_job(draft(backend, "just_full"))
    write_losses(output / "just_full", ("loss/loss",), 40_000)

    steps = [p.step for page in backend.read_losses(state, "loss/loss", None) for p in page.points]

    assert list(range(40_000)) == steps


def test_a_database_without_tables_has_no_losses_yet(backend: Backend, output: Path) -> None:
    """The trainer makes the file first."""
    needs(backend, Ability.LOSSES)
    only(backend, Flavour.WEBUI, "where a job of a Gradio app writes is known once it has begun")
    state = backend.create_job(draft(backend, "no_tables"))
    (output / "no_tables").mkdir(parents=True)
    sqlite3.connect(output / "no_tables" / "loss_log.db").close()
    (output / "no_tables" / "loss_log.db").touch()

    assert () == backend.loss_keys(state)
