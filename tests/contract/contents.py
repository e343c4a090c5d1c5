"""Makes the bytes of the files that cases ask for; a case says what, this module says how.

A content is a text, or a mapping with one key:

`{bytes: N}`            N bytes, the n-th being n % 251
`{image: [W, H]}`       a picture in the format of the file's name
`{mp3: art|plain|none}` an ID3 tag with a picture, one without, no tag at all
`{lines: N}`            N lines of ten digits, the line's number: eleven bytes each
`{hex: "00ff"}`         exactly these bytes
`{loss: {...}}`         a loss_log.db, see `write_loss_log`
`{folder: true}`        an empty folder
"""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any

from PIL import Image

PICTURE_IN_MP3 = bytes(range(200))
"""What `{mp3: art}` carries as its album art."""

START = 1_700_000_000.0
"""`wall_time` of step 0 in a loss log that a case asks for; one second more at each step."""


def make(content: Any, name: str) -> bytes:
    """Return the bytes that a content describes, for a file of this name."""
    if isinstance(content, str):
        return content.encode()
    ((kind, value),) = content.items()
    if kind == "bytes":
        return _pattern(value)
    if kind == "image":
        return picture(name, *value)
    if kind == "mp3":
        return _mp3(value)
    if kind == "lines":
        return b"".join(b"%010d\n" % number for number in range(value))
    if kind == "hex":
        return bytes.fromhex(value)
    raise ValueError(f"unknown content {kind!r} for {name}")


def _pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def picture(name: str, width: int, height: int) -> bytes:
    """Return a small gradient picture in the format that the file name asks for."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    buffer = io.BytesIO()
    suffix = name.rsplit(".", 1)[-1].lower()
    image.save(buffer, {"jpg": "JPEG", "jpeg": "JPEG"}.get(suffix, suffix.upper()))
    return buffer.getvalue()


def _mp3(kind: str) -> bytes:
    audio = b"\xff\xfb\x90\x00" + bytes(64)
    if kind == "none":
        return audio
    frame_id, payload = b"TIT2", b"\x00title"
    if kind == "art":
        frame_id, payload = b"APIC", b"\x00image/png\x00\x03\x00" + PICTURE_IN_MP3
    frame = frame_id + len(payload).to_bytes(4, "big") + b"\x00\x00" + payload
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + frame + audio


def write(path: Path, content: Any) -> None:
    """Write one file (or folder) that a case asks for, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict) and "folder" in content:
        path.mkdir()
    elif isinstance(content, dict) and "loss" in content:
        write_loss_log(path, **content["loss"])
    else:
        path.write_bytes(make(content, path.name))


def write_loss_log(
    path: Path,
    keys: list[str] | None = None,
    first: int = 1,
    last: int = 0,
    rows: list[list[Any]] | None = None,
    tables: bool = True,
) -> None:
    """Write a loss_log.db as the trainer would.

    Args:
        path: where to write it.
        keys: metrics that get a value at each step from `first` to `last`: an eighth of the step.
        first: the first step.
        last: the last step.
        rows: more values, each `[step, key, number or null or text]`.
        tables: False leaves the database without tables, as it is for a moment at the start.
    """
    points = [(step, key, step / 8) for key in keys or [] for step in range(first, last + 1)]
    points += [(step, key, value) for step, key, value in rows or []]
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        if tables:
            _fill(connection, points)
    finally:
        connection.close()


def _fill(connection: sqlite3.Connection, points: list[tuple[int, str, Any]]) -> None:
    connection.executescript(
        "CREATE TABLE steps (step INTEGER PRIMARY KEY, wall_time REAL NOT NULL);"
        "CREATE TABLE metric_keys (key TEXT PRIMARY KEY, first_seen_step INTEGER,"
        " last_seen_step INTEGER);"
        "CREATE TABLE metrics (step INTEGER NOT NULL, key TEXT NOT NULL, value_real REAL,"
        " value_text TEXT, PRIMARY KEY (step, key),"
        " FOREIGN KEY (step) REFERENCES steps(step) ON DELETE CASCADE);"
        "CREATE INDEX by_key ON metrics (key, step);"
    )
    steps = sorted({step for step, _, _ in points})
    connection.executemany("INSERT INTO steps VALUES (?, ?)", [(n, START + n) for n in steps])
    connection.executemany(
        "INSERT OR IGNORE INTO metric_keys VALUES (?, ?, ?)",
        [(key, steps[0], steps[-1]) for key in sorted({key for _, key, _ in points})],
    )
    connection.executemany(
        "INSERT INTO metrics VALUES (?, ?, ?, ?)",
        [
            (
                step,
                key,
                None if isinstance(value, str) else value,
                value if isinstance(value, str) else None,
            )
            for step, key, value in points
        ],
    )
    connection.commit()
