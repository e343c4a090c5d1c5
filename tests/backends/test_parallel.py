"""Files there and back without a wire: order, retries, progress, and cuts at every byte."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.backends.base import Upload
from aitk_nb.backends.wire import download
from aitk_nb.backends.wire.download import CountingReader
from aitk_nb.backends.wire.parallel import each
from aitk_nb.errors import (
    ConnectionFailed,
    NotFound,
    Rejected,
    TransferFailed,
    UnexpectedReply,
)
from tests.backends.progress import Heard, quiet, uploads


def test_results_come_in_order_with_failures_in_their_place() -> None:
    """An `AitkError` of one item does not touch the others."""

    def work(number: int) -> int:
        if number == 3:
            raise NotFound("file", "3")
        return number * number

    outcomes = each(work, range(6))

    assert [0, 1, 4] == outcomes[:3]
    assert isinstance(outcomes[3], NotFound)
    assert [16, 25] == outcomes[4:]
    assert [] == each(work, [])


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_foreign_error_drops_what_has_not_begun(error: type[BaseException]) -> None:
    """It is raised as it is, and not after hours of other items."""
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise error
        threading.Event().wait(0.02)

    with pytest.raises(error):
        each(work, range(2000))

    assert len(begun) < 500


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    """It starts at nothing, ends at all, and never passes that."""
    files = uploads(tmp_path / "f", *(f"{n}.bin" for n in range(20)))
    heard = Heard()

    def send(_file: Upload, reader: CountingReader) -> None:
        while reader.read(700):
            pass

    download.send_all(files, send, heard)

    assert (0, 100_000) == (heard.done[0], heard.done[-1])
    assert {100_000} == heard.totals
    assert heard.done == sorted(heard.done)


def test_a_retry_takes_its_progress_back(tmp_path: Path) -> None:
    """What was counted for a failed attempt is not counted twice."""
    files = uploads(tmp_path / "f", "a.bin")
    heard, attempts = Heard(), []

    def send(_file: Upload, reader: CountingReader) -> None:
        reader.read(3000)
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionFailed("http://x")
        reader.read()

    download.send_all(files, send, heard)

    assert [0, 3000, 0, 3000, 0, 3000, 5000] == heard.done


def test_one_file_that_fails_for_good_leaves_the_others(tmp_path: Path) -> None:
    """The error names the file and counts the others; a refusal is not repeated."""
    files = uploads(tmp_path / "f", "a.bin", "bad.bin", "c.bin", "gone.bin")
    files[3].source.unlink()
    sent = []

    def send(file: Upload, reader: CountingReader) -> None:
        reader.read()
        sent.append(file.name)
        if file.name == "bad.bin":
            raise Rejected("take bad.bin", "no", 500)

    heard = Heard()
    with pytest.raises(TransferFailed, match=r"2 of 4 files.*bad\.bin") as caught:
        download.send_all(files, send, heard)

    assert {"bad.bin", "gone.bin"} == caught.value.failures.keys()
    assert 2 == caught.value.done
    assert ["a.bin", "bad.bin", "c.bin"] == sorted(sent)
    assert 10_000 == heard.done[-1]


Cuts = st.lists(st.integers(0, 400), max_size=6)


@given(size=st.integers(0, 1000), cuts=Cuts, chunk=st.integers(1, 300))
def test_a_download_is_whole_wherever_it_was_cut(
    tmp_path_factory: pytest.TempPathFactory, size: int, cuts: list[int], chunk: int
) -> None:
    """Byte for byte, with progress that only grows."""
    content = random.Random(size).randbytes(size)
    left = list(cuts)
    target = tmp_path_factory.mktemp("cut") / "f.bin"
    heard = Heard()

    @contextmanager
    def piece(start: int, end: int) -> Iterator[Iterator[bytes]]:
        yield cut_stream(content[start:end], left.pop() if left else None, chunk)

    assert size == download.fetch(piece, size, target, heard)
    assert content == target.read_bytes()
    assert heard.done == sorted(heard.done)
    assert (0, size) == (heard.done[0], heard.done[-1])
    assert [target] == list(target.parent.iterdir())


def cut_stream(data: bytes, cut: int | None, chunk: int) -> Iterator[bytes]:
    """Yield `data` in chunks, and break the line after `cut` bytes.

    Breaking before the first byte is waited for, so that here it is always after some.
    """
    stop = len(data) if cut is None or cut == 0 else min(cut, len(data))
    for start in range(0, stop, chunk):
        yield data[start : min(start + chunk, stop)]
    if stop < len(data):
        raise ConnectionFailed("http://x")


@pytest.mark.parametrize("answer", [b"", b"12", b"123456"])
def test_a_piece_of_another_length_is_an_error(answer: bytes, tmp_path: Path) -> None:
    """A server that ends early without breaking the line, or says more than asked."""

    @contextmanager
    def piece(_start: int, _end: int) -> Iterator[Iterator[bytes]]:
        yield iter(chunks(answer))

    with pytest.raises(UnexpectedReply):
        download.fetch(piece, 5, tmp_path / "f", quiet)
    assert [] == list(tmp_path.iterdir())


def chunks(data: bytes) -> Sequence[bytes]:
    """Return `data` as the chunks of an answer."""
    return [data] if data else []
