"""`dataset upload|verify|download|captions|delete`: what the server has, and what it is asked."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from aitk_nb import demo
from tests.cli.command import COMMAND, environment, run, start
from tests.datasets.pictures import add
from tests.proxy import FaultProxy

HOSTILE = (
    ("delete", "../up"),
    ("download", "a/b"),
    ("download", "${HOME}"),
    ("captions", "x\x1b[31m"),
    ("delete", ""),
    ("delete", "<script>"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server of these tests' own, and the folder of its datasets."""
    data = tmp_path_factory.mktemp("remote")
    with demo.start(data) as server:
        yield server.url, data / "datasets"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, each with a caption."""
    add(tmp_path / "cats", "a.png", "a.txt", "b.png", "b.txt", "c.png", "c.txt")
    return tmp_path / "cats"


def test_an_upload_is_verified_in_full(server: tuple[str, Path], folder: Path) -> None:
    """What was found is told on stderr, and stdout is the name alone."""
    url, datasets = server
    ran = run("dataset", "upload", folder, "--name", "full", "--verify", "full", "--url", url)

    assert "full\n" == ran.out
    assert "full: 3 images; 6 files sent, 0 already there" in ran.err
    assert "6 identical" in ran.err
    # Nothing has to be sent, and every byte is read all the same.
    swapped = bytearray((datasets / "full" / "b.png").read_bytes())
    swapped[-9] ^= 255
    (datasets / "full" / "b.png").write_bytes(swapped)
    again = run("dataset", "upload", folder, "--name", "full", "--verify", "full", "--url", url)
    assert "0 files sent" in again.err
    assert (folder / "b.png").read_bytes() == (datasets / "full" / "b.png").read_bytes()


def test_verify_names_what_is_wrong_and_fails(server: tuple[str, Path], folder: Path) -> None:
    """One line a file, exit code 1, and the way out; then all is right again."""
    url, datasets = server
    given = (folder, "--name", "wrong", "--url", url)
    run("dataset", "upload", *given)
    assert run("dataset", "verify", *given, "--json").json["ok"] is True
    (datasets / "wrong" / "a.png").unlink()
    (datasets / "wrong" / "b.png").write_bytes(b"half")
    add(datasets / "wrong", "other.png")

    ran = run("dataset", "verify", *given, "--verify", "full", code=1)
    lines = {tuple(line.rsplit(maxsplit=1)) for line in ran.out.splitlines()}
    assert {("missing", "a.png"), ("different", "b.png"), ("extra", "other.png")} <= lines
    assert "1 file missing, 1 different" in ran.err
    assert "--if-differs", "replace" in ran.err

    told = run("dataset", "verify", *given, "--verify", "full", "--json", code=1).json
    states = {file["name"]: file["state"] for file in told["files"]}
    assert (False, "missing", "different") == (told["ok"], states["a.png"], states["b.png"])
    assert ["other.png"] == told["extra"]

    assert "other files with the same names: b.png" in run("dataset", "upload", *given, code=2).err
    sent = run("dataset", "upload", *given, "--if-differs", "replace", "--json").json
    assert (2, 4) == (sent["sent"], sent["kept"])
    assert run("dataset", "verify", *given, "--verify", "full", "--json").json["ok"] is True


def test_a_mirror_asks_before_it_deletes(server: tuple[str, Path], folder: Path) -> None:
    """Nobody to answer and a no leave everything there; a yes deletes what was named."""
    url, datasets = server
    given = ("dataset", "upload", folder, "--name", "mirrored", "--mirror", "--url", url)
    run(*given)
    add(datasets / "mirrored", "other.png")

    alone = run(*given, code=2)
    assert "other.png" in alone.err
    assert "--yes" in alone.err
    refused = run(*given, answer="n\n")
    assert "Delete 1 file?" in refused.err
    assert "mirrored\n" == refused.out
    assert (datasets / "mirrored" / "other.png").exists()

    run(*given, answer="y\n")
    assert not (datasets / "mirrored" / "other.png").exists()
    add(datasets / "mirrored", "other.png")
    mirrored = run(*given, "--yes", "--json").json
    assert ["a.png", "b.png", "c.png"] == sorted(mirrored["images"])
    assert not (datasets / "mirrored" / "other.png").exists()


def test_a_download_brings_what_was_sent(
    server: tuple[str, Path], folder: Path, tmp_path: Path
) -> None:
    """File by file once, or as one zip."""
    url, datasets = server
    run("dataset", "upload", folder, "--name", "fetched", "--url", url)
    given = ("dataset", "download", "fetched", "--out", tmp_path / "out é", "--url", url)

    first, second = run(*given), run(*given, "--json")
    here = Path(first.out.strip())
    assert ("downloaded" in first.err, "already there" in second.err) == (True, True)
    assert (str(here), False) == (second.json["path"], second.json["fetched"])
    for path in folder.glob("?.*"):
        assert path.read_bytes() == (here / path.name).read_bytes()

    # A caption that was written on the server since is news, though all images are here.
    (datasets / "fetched" / "c.txt").write_text("another caption", encoding="utf-8")
    third = run(*given)
    assert ("downloaded" in third.err, "was there" in third.err) == (True, False)
    assert "another caption" == (here / "c.txt").read_text(encoding="utf-8")

    packed = Path(run(*given, "--zip").out.strip())
    with zipfile.ZipFile(packed) as archive:
        assert {Path(name).name for name in archive.namelist()} >= {"a.png", "a.txt", "c.txt"}


def test_captions_are_shown_and_written(server: tuple[str, Path], folder: Path) -> None:
    """One line an image; with --write the server's model writes the missing ones alone."""
    url, _ = server
    (folder / "c.txt").unlink()
    (folder / "b.txt").write_text("two\nlines", encoding="utf-8")
    run("dataset", "upload", folder, "--name", "told", "--url", url)
    given = ("dataset", "captions", "told", "--url", url)

    shown = run(*given).out.splitlines()
    assert "b.png: two lines" in shown
    assert "c.png: (none)" in shown
    before = run(*given, "--json").json
    assert ("two\nlines", "") == (before["b.png"], before["c.png"])

    after = run(*given, "--write", "--json").json
    assert after.pop("c.png")
    assert {name: text for name, text in before.items() if name != "c.png"} == after


def test_a_dataset_is_deleted_when_somebody_says_so(server: tuple[str, Path], folder: Path) -> None:
    """Not by nobody, not by a no; then it is gone."""
    url, datasets = server
    run("dataset", "upload", folder, "--name", "doomed", "--url", url)
    given = ("dataset", "delete", "doomed", "--url", url)

    assert "--yes" in run(*given, code=2).err
    refused = run(*given, answer="n\n", code=1)
    assert "Delete doomed with 3 images from" in refused.err
    assert "" == refused.out
    assert "Nothing was deleted." in refused.err
    assert (datasets / "doomed" / "a.png").exists()

    assert {"deleted": "doomed", "images": 3} == run(*given, "--yes", "--json").json
    assert not (datasets / "doomed").exists()
    assert "doomed" not in run("dataset", "list", "--url", url, "--json").json
    assert "no dataset named 'doomed'" in run(*given, "--yes", code=1).err


@pytest.mark.parametrize(("verb", "name"), HOSTILE)
def test_a_name_that_leaves_its_folder_goes_nowhere(
    server: tuple[str, Path], verb: str, name: str, tmp_path: Path
) -> None:
    """It is refused here, or the server has none of that name; nothing is written."""
    options = {"download": ["--out", str(tmp_path)], "captions": [], "delete": ["--yes"]}[verb]
    known = name == "<script>"
    ran = run("dataset", verb, name, *options, "--url", server[0], code=1 if known else 2)

    assert ("no dataset named" if known else "cannot be the name of a dataset") in ran.err
    assert ("", []) == (ran.out, [*tmp_path.iterdir()])
    assert "\x1b" not in ran.err


def test_what_is_not_there_is_said(server: tuple[str, Path], folder: Path) -> None:
    """A folder that is none, and a dataset that was never sent."""
    url, _ = server
    nowhere = folder.parent / "nowhere"
    for verb in ("upload", "verify"):
        assert str(nowhere) in run("dataset", verb, nowhere, "--url", url, code=2).err
    given = (folder, "--name", "never_sent", "--url", url)
    ran = run("dataset", "verify", *given, code=1)
    assert ("", True) == (ran.out, "has no dataset named 'never_sent'. It has: " in ran.err)


def test_what_is_missing_is_sent_by_a_plain_upload(server: tuple[str, Path], folder: Path) -> None:
    """Nothing has to be replaced for it."""
    url, datasets = server
    given = (folder, "--name", "lacking", "--url", url)
    run("dataset", "upload", *given)
    (datasets / "lacking" / "a.png").unlink()

    ran = run("dataset", "verify", *given, code=1)
    assert "1 file missing, 0 different. Run aitk-nb dataset upload" in ran.err
    assert "--if-differs", "replace" not in ran.err
    assert 1 == run("dataset", "upload", *given, "--json").json["sent"]


@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "a\\b", ""])
@pytest.mark.parametrize("verb", ["upload", "verify"])
def test_a_given_name_is_refused_where_it_would_lead_out(
    server: tuple[str, Path], folder: Path, verb: str, name: str
) -> None:
    """Nothing is sent under another name."""
    url, datasets = server
    before = sorted(datasets.iterdir()) if datasets.exists() else []
    ran = run("dataset", verb, folder, "--name", name, "--url", url, code=2)
    assert "cannot be the name of a dataset" in ran.err
    assert before == (sorted(datasets.iterdir()) if datasets.exists() else [])


def test_another_name_on_the_server_is_told(server: tuple[str, Path], folder: Path) -> None:
    """One line on stderr, where the names differ; a folder's name may hold anything."""
    url, _ = server
    ran = run("dataset", "upload", folder, "--name", "My Cats 01!", "--url", url)
    assert ("my_cats_01_\n", True) == (ran.out, "the server calls it my_cats_01_\n" in ran.err)
    odd = folder.rename(folder.parent / "..Été")
    assert "the server calls it _t_" in run("dataset", "upload", odd, "--url", url).err
    same = run("dataset", "upload", odd, "--name", "same", "--url", url)
    assert "the server calls it" not in same.err


@pytest.mark.skipif(os.name != "posix", reason="signals of a POSIX system")
def test_an_interrupted_upload_says_how_it_goes_on(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    """What has arrived is not sent again."""
    url, datasets = server
    folder = tmp_path / "cut"
    folder.mkdir()
    for number in range(30):  # too large to share one request, and too much for the line's speed
        noise = Image.frombytes("RGB", (300, 300), os.urandom(270_000))
        noise.save(folder / f"{number}.png")
    with (
        FaultProxy(url, bandwidth=300_000) as slow,
        start("dataset", "upload", folder, "--url", slow.url) as process,
    ):
        while not list((datasets / "cut").glob("*.png")):
            assert process.poll() is None
            time.sleep(0.02)  # the server is in this process, and needs it too
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert 130 == process.returncode, err
    assert "aitk-nb: interrupted; run it again to send the rest" in err
    again = run("dataset", "upload", folder, "--url", url, "--json").json
    assert 30 == again["sent"] + again["kept"]
    assert again["kept"]


@pytest.mark.skipif(sys.platform != "linux", reason="a terminal of Linux")
def test_a_terminal_shows_that_it_looks_and_sends(server: tuple[str, Path], folder: Path) -> None:
    """Both take their time with many images."""
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    given = ("dataset", "upload", folder, "--name", "seen", "--url", server[0])
    with subprocess.Popen(
        [*COMMAND, *map(str, given)],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while some := os.read(ours, 4096):
                shown += some
    os.close(ours)
    assert 0 == process.returncode
    assert shown.index(b"reading") < shown.index(b"uploading")


def test_an_upload_says_what_was_looked_at(server: tuple[str, Path], tmp_path: Path) -> None:
    """In one order, and what was only seen by its name is called so."""
    add(tmp_path / "many", *(f"{number}.png" for number in range(12)))
    ran = run("dataset", "upload", tmp_path / "many", "--url", server[0])
    told = "verified: 2 identical, 6 same size, 4 listed (--verify full reads them too)"
    assert told in ran.err
