"""Downloads over a bad line or to a bad disk: whole, or not there at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aitk_nb import demo
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.backends.wire.parallel import each
from aitk_nb.errors import (
    AitkError,
    BadInput,
    NotFound,
    UnexpectedReply,
)
from tests.backends.progress import Heard, quiet
from tests.proxy import FaultProxy


def test_a_download_over_a_line_that_breaks(
    line: WebUI, proxy: FaultProxy, remote: Path, tmp_path: Path
) -> None:
    """Real connections, cut at many places."""
    target = tmp_path / "lora.safetensors"
    for cut in (4097, 99_999, 299_999):
        proxy.cut_after = cut
        assert 300_000 == line.download(str(remote), target, quiet)
        assert remote.read_bytes() == target.read_bytes()
        target.unlink()
    assert "cut_after" in {exchange.fault for exchange in proxy.log}


@pytest.mark.parametrize("size", [200_000, 350_000])
def test_a_file_that_changes_meanwhile_is_not_patched_together(
    line: WebUI, proxy: FaultProxy, remote: Path, tmp_path: Path, size: int
) -> None:
    """Its size is another when the broken download goes on: an error, and no file."""
    proxy.cut_after = 100_000

    def change(done: int, _total: int) -> None:
        if done and remote.stat().st_size == 300_000:
            remote.write_bytes(bytes(size))

    with pytest.raises(AitkError):
        line.download(str(remote), tmp_path / "lora.safetensors", change)

    assert [] == list(tmp_path.iterdir())


def test_a_server_that_ignores_ranges_still_serves_whole_files(
    line: WebUI, proxy: FaultProxy, tmp_path: Path
) -> None:
    """A 200 for a whole file is taken; for a part of it, it is an error."""
    content = bytes(range(256)) * 10
    proxy.answer("HEAD", "/api/files/.*", 200, {"X-Made-Up": "1"}, content)
    proxy.answer("GET", "/api/files/.*", 200, {}, content)

    with line.open_range("/x/lora.safetensors") as read:
        assert content == read(0, len(content))
        with pytest.raises(UnexpectedReply):
            read(100, 50)


def test_reading_ranges_stays_inside_the_file(line: WebUI, remote: Path) -> None:
    """Like reading a file: beyond the end there is nothing, and no error."""
    content = remote.read_bytes()
    with line.open_range(str(remote)) as read:
        assert content[:10] == read(0, 10)
        assert content[-10:] == read(299_990, 100)
        assert b"" == read(300_000, 5)
        assert b"" == read(999_999, 5)
        assert b"" == read(10, 0)


def test_a_missing_file_is_not_found(line: WebUI, remote: Path, tmp_path: Path) -> None:
    """By its name, and without a trace of it."""
    with pytest.raises(NotFound, match="other"):
        line.download(str(remote.with_name("other")), tmp_path / "other", quiet)
    with (
        pytest.raises(NotFound, match="other"),
        line.open_range(str(remote.with_name("other"))) as read,
    ):
        read(0, 1)

    assert [] == list(tmp_path.iterdir())


def test_an_empty_file_arrives(line: WebUI, remote: Path, tmp_path: Path) -> None:
    """A range of it cannot be asked for."""
    remote.write_bytes(b"")
    heard = Heard()

    assert 0 == line.download(str(remote), tmp_path / "empty", heard)
    assert b"" == (tmp_path / "empty").read_bytes()
    assert {0} == heard.totals


@pytest.mark.parametrize("signalled", [False, True])
def test_an_interrupt_leaves_what_has_come(
    line: WebUI, proxy: FaultProxy, remote: Path, tmp_path: Path, signalled: bool
) -> None:
    """Not under the file's name: an older file stays as it was until the next call is through."""
    target = tmp_path / "lora.safetensors"
    target.write_bytes(b"older")

    def interrupt(done: int, _total: int) -> None:
        if done and signalled:
            signal.raise_signal(signal.SIGINT)
        elif done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        line.download(str(remote), target, interrupt)

    assert [target] == list(tmp_path.glob("[!.]*"))
    assert b"older" == target.read_bytes()
    (partial,) = tmp_path.glob(".aitk-*.part")
    kept = partial.stat().st_size
    assert remote.read_bytes().startswith(partial.read_bytes())

    proxy.log.clear()
    line.download(str(remote), target, quiet)

    assert remote.read_bytes() == target.read_bytes()
    assert [target] == list(tmp_path.iterdir())
    assert f"bytes={kept}-299999" == proxy.log[-1].headers["range"]


FULL_DISK = """
import resource, sys
from pathlib import Path
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.errors import BadInput
from aitk_nb.connection.connection import Connection

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
url, source, target = sys.argv[1:]
try:
    WebUI(Http(Connection(url))).download(source, Path(target), lambda done, total: None)
except BadInput as exc:
    sys.exit(str(exc))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes are limited on POSIX only")
def test_a_disk_that_takes_no_more_leaves_nothing(
    demo_server: demo.DemoServer, remote: Path, tmp_path: Path
) -> None:
    """The system refuses to write on: one sentence, no file and no temporary one."""
    target = tmp_path / "loras" / "lora.safetensors"
    arguments = [demo_server.url, str(remote), str(target)]

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *arguments], capture_output=True, text=True, check=False
    )

    assert 1 == done.returncode, done.stderr
    assert f"{target} can't be written: " in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(target.parent.iterdir())


def test_a_folder_that_cannot_be_written_is_explained(
    line: WebUI, remote: Path, tmp_path: Path
) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(BadInput, match="can't be written"):
        line.download(str(remote), tmp_path / "taken" / "lora.safetensors", quiet)


def test_many_downloads_at_once(line: WebUI, remote: Path, tmp_path: Path) -> None:
    """Handles are shared between threads."""
    content = remote.read_bytes()

    def fetch(number: int) -> bool:
        line.download(str(remote), tmp_path / str(number), quiet)
        return (tmp_path / str(number)).read_bytes() == content

    assert [True] * 12 == each(fetch, range(12))
    assert {str(number) for number in range(12)} == {path.name for path in tmp_path.iterdir()}
