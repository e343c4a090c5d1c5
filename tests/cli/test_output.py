"""Where the output goes: pipes that close, full disks, terminals that know ASCII only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, environment, run, run_process

ASCII = {"PYTHONIOENCODING": "ascii"}
LATIN = {"PYTHONIOENCODING": "latin-1"}
OLD = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def job(url: str, dataset: str) -> str:
    """The name of a job with many losses."""
    params = ("--name", "many", "--dataset", dataset, "--steps", "1500", "--rank", "1")
    size = ("--resolution", "16", "--save-every", "9999")
    return run("train", *params, *size, "--url", url, "--wait", "--every", "0.2").out.strip()


@pytest.mark.skipif(os.name != "posix", reason="pipes of a POSIX shell")
def test_a_reader_that_leaves_is_no_error(job: str, url: str) -> None:
    """As in `aitk-nb losses --json | head -1`, where the output is larger than a pipe."""
    with subprocess.Popen(
        [*COMMAND, "losses", job, "--json", "--url", url],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"{\n" == process.stdout.readline()
        process.stdout.close()
        assert b"" == process.stderr.read()
    assert 0 == process.returncode


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_under_stdout(url: str) -> None:
    """One sentence, and code 1."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "jobs", "--url", url, "--json"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert 1 == done.returncode
    assert b"aitk-nb: No space left on device\n" == done.stderr


@pytest.mark.parametrize("encoding", [ASCII, LATIN], ids=["ascii", "latin-1"])
def test_terminals_that_lack_characters(
    encoding: dict[str, str], odd_folder: Path, url: str, tmp_path: Path
) -> None:
    """Names with accents and emoji do no harm, and JSON is JSON in every encoding."""
    folder = tmp_path / odd_folder.name
    shutil.copytree(odd_folder, folder)
    (folder / "Tournesol géant 🌻 n° 00.txt").write_text("un tournesol 🌻", encoding="utf-8")
    name = f"encoded_{encoding['PYTHONIOENCODING'].replace('-', '_')}"

    ran = run_process(
        "dataset", "upload", folder, "--name", name, "--url", url, "--json", env=encoding
    )
    missing = run_process("dataset", "upload", f"{folder} 🌻", "--url", url, env=encoding, code=2)
    lora = run_process("lora", folder / "Tournesol géant 🌻 n° 01.txt", env=encoding, code=2)

    assert "un tournesol 🌻" in ran.json["captions"].values()
    assert (24, name) == (ran.json["sent"], ran.json["name"])
    assert "No such file or directory" in missing.err
    assert "safetensors" in lora.err


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes there")
def test_file_names_that_are_no_text(
    photos: Path, odd_folder: Path, url: str, tmp_path: Path
) -> None:
    """Bytes that no encoding explains, or not that of an old locale, are told and do not crash."""
    shutil.copy(photos / "photo_00.jpg", tmp_path / os.fsdecode(b"caf\xe9.jpg"))

    for folder, env in ((tmp_path, {}), (odd_folder, OLD)):
        ran = run_process("dataset", "upload", folder, "--name", "b", "--url", url, env=env, code=2)

        assert "is not a valid dataset" in ran.err


def test_the_address_from_the_environment(url: str) -> None:
    """`AITK_URL` is used, and `--url` wins over it."""
    nobody = "http://127.0.0.1:9"

    assert run("dataset", "list", "--json", env={"AITK_URL": url}).json
    assert run("dataset", "list", "--json", "--url", url, env={"AITK_URL": nobody}).json
    run("dataset", "list", "--url", nobody, env={"AITK_URL": url}, code=3)


def test_the_installed_script() -> None:
    """`aitk-nb` is the same as `python -m aitk_nb.cli`."""
    script = shutil.which("aitk-nb", path=sysconfig.get_path("scripts"))

    assert script is not None
    assert run_process("--help", start=(script,)).out == run_process("--help").out
