"""The picture in the ID3 tag of a sound."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Smaller than this is not a picture, the real server finds.
_SMALLEST = 65


@dataclass(frozen=True)
class Picture:
    """A picture and what it says it is."""

    kind: str
    data: bytes


def tag_length(head: bytes) -> int | None:
    """Return how long the tag is whose first ten bytes are `head`; None if that is no tag."""
    if len(head) < 10 or head[:3] != b"ID3":
        return None
    return 10 + _seven_bits(head[6:10])


def find_picture(tag: bytes) -> Picture | None:
    """Return the first picture of a tag, if it has one."""
    version, flags = tag[3], tag[5]
    body = tag[10:].replace(b"\xff\x00", b"\xff") if flags & 0x80 else tag[10:]
    if version in {3, 4} and flags & 0x40:
        size = _seven_bits(body[:4]) if version == 4 else int.from_bytes(body[:4], "big")
        body = body[4 + size :]
    for name, frame in _frames(body, version):
        if name == b"PIC":
            kind = "image/png" if frame[1:4].lower() == b"png" else "image/jpeg"
            picture = Picture(kind, _after_text(frame[5:], frame[0]))
        elif name == b"APIC":
            sent, _, rest = frame[1:].partition(b"\0")
            # What a file claims goes into a header only if it looks like an image's kind.
            known = re.fullmatch(rb"image/[a-zA-Z0-9.+-]{1,40}", sent)
            kind = sent.decode("latin-1") if known else "image/jpeg"
            picture = Picture(kind, _after_text(rest[1:], frame[0]))
        else:
            continue
        if len(picture.data) >= _SMALLEST:
            return picture
    return None


def _frames(body: bytes, version: int) -> Iterator[tuple[bytes, bytes]]:
    name, head = (3, 6) if version == 2 else (4, 10)
    while len(body) >= head and body[0]:
        raw = body[name : 2 * name]
        size = _seven_bits(raw) if version == 4 else int.from_bytes(raw, "big")
        if not 0 < size <= len(body) - head:
            return
        frame = body[head : head + size]
        if version == 4 and body[9] & 0x02:
            frame = frame.replace(b"\xff\x00", b"\xff")
        yield body[:name], frame
        body = body[head + size :]


def _after_text(rest: bytes, encoding: int) -> bytes:
    if encoding not in {1, 2}:
        return rest.partition(b"\0")[2]
    for place in range(0, len(rest) - 1, 2):
        if rest[place : place + 2] == b"\0\0":
            return rest[place + 2 :]
    return b""


def _seven_bits(raw: bytes) -> int:
    value = 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
    return value
