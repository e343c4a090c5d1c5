"""What `make` does before all else: find a Python, install once, start over when broken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="make is for POSIX systems")

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/sh
# Stands for a Python: notes what it is asked for, and makes a .venv that holds itself.
echo "$*" >>"{calls}"
case "$1 $2" in
"-m venv")
    [ {probe} -ne 4 ] || {{ echo "No module named venv"; exit 1; }}
    rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python
    ;;
"-m pip")
    echo "pip says this"
    [ "${{PIP_EXIT:-0}}" != killed ] || kill -9 $PPID
    exit "${{PIP_EXIT:-0}}"
    ;;
"--version ") echo "Python 3.9.1" ;;
"-c "*) [ {probe} -eq 4 ] || exit {probe} ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A folder with the files that the script reads, and a PATH with stand-ins only."""

    root: Path
    path: Path
    calls: Path

    def python(self, name: str = "python3", probe: int = 0) -> None:
        """Put a Python on the PATH: one that fits, is too old (3), lacks venv (4), or is broken."""
        file = self.path / name
        file.write_text(PYTHON.format(calls=self.calls, probe=probe))
        file.chmod(0o755)

    def prepare(self, extra: str = "base", **env: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        command = ["/bin/sh", str(self.root / ".ci" / "venv"), extra]
        clean = {"PATH": str(self.path), **env}
        return subprocess.run(
            command, env=clean, capture_output=True, text=True, timeout=30, check=False
        )

    def count(self, start: str) -> int:
        """Return how often a Python was called with arguments that start like this."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return sum(line.startswith(start) for line in lines)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout whose name has a space, and no Python yet."""
    made = Checkout(tmp_path / "a b", tmp_path / "bin", tmp_path / "calls")
    (made.root / ".ci").mkdir(parents=True)
    made.path.mkdir()
    for tool in ("cat", "cksum", "cp", "dirname", "mkdir", "rm", "tail"):
        (made.path / tool).symlink_to(str(shutil.which(tool)))
    for name in (".ci/venv", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, made.root / name)
    return made


def test_the_second_call_does_nothing(checkout: Checkout) -> None:
    """The first installs with the constraints and says so in one line; the second is silent."""
    checkout.python()

    first, second = checkout.prepare(), checkout.prepare()

    assert (first.returncode, second.returncode) == (0, 0)
    assert (first.stdout, second.stdout) == ("Installing into .venv (about a minute, once) …\n", "")
    assert checkout.count("-m pip install -c constraints.txt -e .") == 1


def test_each_extra_is_installed_once(checkout: Checkout) -> None:
    """Into the same .venv."""
    checkout.python()

    for extra in ("base", "test", "base", "test"):
        checkout.prepare(extra)

    assert (checkout.count("-m venv"), checkout.count("-m pip install")) == (1, 2)


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_installs_again(checkout: Checkout, name: str) -> None:
    """New requirements are installed into the same .venv."""
    checkout.python()
    checkout.prepare()
    with (checkout.root / name).open("a") as file:
        file.write("# changed\n")

    checkout.prepare()

    assert (checkout.count("-m venv"), checkout.count("-m pip install")) == (1, 2)


def test_an_interrupted_install_is_started_over(checkout: Checkout) -> None:
    """What pip has left half-done cannot be trusted."""
    checkout.python()

    killed = checkout.prepare(PIP_EXIT="killed")
    again = checkout.prepare()

    assert (killed.returncode, again.returncode) == (-signal.SIGKILL, 0)
    assert (checkout.count("-m venv"), checkout.count("-m pip install")) == (2, 2)


def test_a_moved_checkout_gets_a_new_venv(checkout: Checkout) -> None:
    """The scripts of the old .venv name a folder that is gone."""
    checkout.python()
    checkout.prepare()
    moved = Checkout(
        checkout.root.rename(checkout.root.parent / "c d"), checkout.path, checkout.calls
    )

    moved.prepare()

    assert checkout.count("-m venv") == 2


def test_a_failed_install_shows_its_log_and_can_be_repeated(checkout: Checkout) -> None:
    """The end of pip's output is shown, and the next call starts over."""
    checkout.python()

    failed = checkout.prepare(PIP_EXIT="1")
    again = checkout.prepare()

    assert failed.returncode == 1
    assert "pip says this\nInstalling failed" in failed.stderr
    assert (again.returncode, checkout.count("-m venv")) == (0, 2)


@pytest.mark.parametrize(
    ("probe", "sentence"),
    [
        (3, "python3 is Python 3.9.1, and Python 3.11 or newer is needed"),
        (1, "python3 was not found, or does not run: install Python 3.11 or newer"),
    ],
)
def test_an_unfit_python_is_explained_in_one_sentence(
    checkout: Checkout, probe: int, sentence: str
) -> None:
    """The complaint says what to install; nothing is made."""
    checkout.python(probe=probe)

    refused = checkout.prepare()

    assert refused.returncode == 1
    assert refused.stderr.startswith(sentence)
    assert (refused.stdout, refused.stderr.count("\n")) == ("", 1)
    assert not (checkout.root / ".venv").exists()


def test_a_python_without_venv_says_what_to_install(checkout: Checkout) -> None:
    """What it said itself comes first; with the module there, the next call goes on."""
    checkout.python(probe=4)
    refused = checkout.prepare()
    checkout.python()

    assert refused.returncode == 1
    assert "No module named venv\npython3 could not make .venv: install" in refused.stderr
    assert checkout.prepare().returncode == 0


def test_a_newer_python_beside_an_old_one_is_found(checkout: Checkout) -> None:
    """python3 may be old when python3.12 is there."""
    checkout.python(probe=3)
    checkout.python("python3.12")

    assert checkout.prepare().returncode == 0


def test_another_python_gets_a_new_venv(checkout: Checkout) -> None:
    """PYTHON=… asks for another version than .venv has."""
    checkout.python()
    checkout.prepare()
    checkout.python("python3.12")
    other = checkout.path / "python3.12"
    other.write_text(other.read_text().replace('"-c "*)', '"-c "*) echo "(3, 12)" &&'))

    for python in ("python3", "python3.12", "python3.12"):
        assert checkout.prepare(PYTHON=python).returncode == 0

    assert checkout.count("-m venv") == 2


def test_a_named_python_is_the_only_one_tried(checkout: Checkout) -> None:
    """PYTHON=… that does not fit is an error, although python3 would do."""
    checkout.python()

    refused = checkout.prepare(PYTHON="python3.99")

    assert refused.returncode == 1
    assert refused.stderr.startswith("python3.99 was not found, or does not run")


@pytest.mark.parametrize(
    ("address", "extra", "handed_on"),
    [
        ("", "base", False),
        ("https://a-pod.example", "base", False),
        ("demo:", "base", True),
        ("demo:/a folder", "base", True),
        ("demo:gradio", "gradio", True),
        ("demo:gradio:/a folder", "gradio", True),
        ("demo:gradio-data", "base", True),
    ],
)
def test_only_an_embedded_address_reaches_the_demo(
    address: str, extra: str, handed_on: bool
) -> None:
    """A real server must not get the demo's jobs; the Gradio flavour brings its extra."""
    told = subprocess.run(
        ["make", "-n", "--no-print-directory", "demo"],
        cwd=ROOT,
        env={**os.environ, "AITK_URL": address, "MAKEFLAGS": "", "MAKELEVEL": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert f"sh .ci/venv {extra}" == told[0]
    assert ("AITK_URL= " not in told[1]) == handed_on


def test_a_side_environment_is_made_once(checkout: Checkout) -> None:
    """From the committed versions; an install that failed is started over, another is silent."""
    for name in ("gradio-env", "gradio-5.txt"):
        shutil.copy(ROOT / ".ci" / name, checkout.root / ".ci" / name)
    python = checkout.path / "python3"
    checkout.python()
    made = (
        '.venv-gradio/5/bin && rm -f .venv-gradio/5/.installed && cp "$0" .venv-gradio/5/bin/python'
    )
    text = python.read_text().replace('.venv/bin && cp "$0" .venv/bin/python', made)
    python.write_text(text.replace("rm -rf .venv && ", ""))

    failed, first, second = (
        subprocess.run(
            ["/bin/sh", str(checkout.root / ".ci" / "gradio-env"), "5"],
            env={"PATH": str(checkout.path), **env},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        for env in ({"PIP_EXIT": "1"}, {}, {})
    )

    assert (1, 0, 0) == (failed.returncode, first.returncode, second.returncode)
    assert "pip says this\nInstalling failed" in failed.stderr
    assert ("Installing Gradio 5 into", "") == (first.stdout[:24], second.stdout)
    assert 2 == checkout.count("-m pip install --no-deps -r .ci/gradio-5.txt")
