"""What `make` does before all else: find a Python, install once, start over when broken."""

from __future__ import annotations

import os
import shutil
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
"-m venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
"-m pip") echo "pip says this" && exit "${{PIP_EXIT:-0}}" ;;
"--version ") echo "Python 3.9.1" ;;
"-c "*) exit {probe} ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A folder with the files that the script reads, and a PATH with stand-ins only."""

    root: Path
    path: Path
    calls: Path

    def python(self, name: str = "python3", probe: int = 0) -> None:
        """Put a Python on the PATH whose probe ends with `probe`."""
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
    for tool in ("cat", "cksum", "cp", "dirname", "head", "mkdir", "rm", "sleep", "tail"):
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
    assert not (checkout.root / ".venv.lock").exists()


@pytest.mark.parametrize(
    ("installed", "wanted", "installs"),
    [
        ("dev", "test", 1),
        ("test", "base", 1),
        ("lab", "base", 1),
        ("browser", "base", 1),
        ("gradio", "base", 1),
        ("test", "gradio", 1),
        ("dev", "gradio", 1),
        ("browser", "gradio", 1),
        ("browser", "test", 1),
        ("browser", "lab", 1),
        ("base", "gradio", 2),
        ("gradio", "test", 2),
        ("lab", "gradio", 2),
        ("test", "dev", 2),
        ("lab", "browser", 2),
    ],
)
def test_an_extra_holds_the_smaller_ones(
    checkout: Checkout, installed: str, wanted: str, installs: int
) -> None:
    """Nothing is installed for an extra that another one includes."""
    checkout.python()

    checkout.prepare(installed)
    checkout.prepare(wanted)

    assert installs == checkout.count("-m pip install")


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
    """A lock whose owner is gone means that .venv cannot be trusted."""
    checkout.python()
    checkout.prepare()
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    (checkout.root / ".venv.lock").write_text(f"{gone.pid}\n")
    (checkout.root / ".venv" / ".installed-base").unlink()

    again = checkout.prepare()

    assert again.returncode == 0
    assert (checkout.count("-m venv"), checkout.count("-m pip install")) == (2, 2)
    assert not (checkout.root / ".venv.lock").exists()


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
    """The end of pip's output is shown, and the next call tries again in the same .venv."""
    checkout.python()

    failed = checkout.prepare(PIP_EXIT="1")
    again = checkout.prepare()

    assert failed.returncode == 1
    assert "pip says this\nInstalling failed" in failed.stderr
    assert (again.returncode, checkout.count("-m venv")) == (0, 1)


@pytest.mark.parametrize(
    ("probe", "sentence"),
    [
        (4, "python3 has no 'venv' module: install it (Debian and Ubuntu: apt install python3"),
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


def test_a_newer_python_beside_an_old_one_is_found(checkout: Checkout) -> None:
    """python3 may be old when python3.12 is there."""
    checkout.python(probe=3)
    checkout.python("python3.12")

    assert checkout.prepare().returncode == 0


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
    text = python.read_text().replace(
        "rm -rf .venv && mkdir -p .venv/bin && cp",
        "mkdir -p .venv-gradio/5/bin && rm -f .venv-gradio/5/.installed && cp",
    )
    python.write_text(text.replace(".venv/bin/python ;;", ".venv-gradio/5/bin/python ;;"))

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
