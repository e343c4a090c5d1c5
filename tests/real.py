"""Run what can be asked of a foreign server against AI Toolkit's own software: `make test-real`.

AITK_REAL is a folder with servers that were built before, and AITK_REAL_TOOLS is one with the two
programs `start FOLDER --port P --token T [--era E | --gradio G]` and `stop FOLDER [--era E |
--gradio G]`. They are started one after the other; which ones the folder lacks is said.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PORT = 22675
LOGIN = "somebody:password-of-the-tests"
TOKEN = "token-of-the-tests"
PATH = "tests/cli/test_every_server.py::test_the_whole_path"


@dataclass(frozen=True)
class Server:
    """One of the servers."""

    version: str
    """As in `tests.versions`."""

    folder: str
    choice: tuple[str, ...] = ()
    """Options of both programs."""

    @property
    def is_gradio(self) -> bool:
        """Whether it is a Gradio app."""
        return self.folder.startswith("gradio-")


SERVERS = (
    Server("2026-08", "webui"),
    *(Server(era, f"webui-{era}", ("--era", era)) for era in ("2026-05", "2025-11", "2025-08")),
    *(Server(f"gradio-{n}", f"gradio-{n}", ("--gradio", n)) for n in ("6", "5", "4")),
)


def main() -> int:
    """Ask each server that is there, and return 0 if all answered as they should."""
    real, tools = (Path(os.environ.get(name, "")) for name in ("AITK_REAL", "AITK_REAL_TOOLS"))
    if not real.is_absolute() or not (tools / "start").is_file():
        _say("Set AITK_REAL to the folder of the servers, and AITK_REAL_TOOLS to the one of the")
        _say("programs that start and stop them; both as absolute paths.")
        return 2
    told = []
    for number, server in enumerate(SERVERS):
        if not (real / server.folder / "ai-toolkit").is_dir():
            told.append((server, "missing", 0.0))
            continue
        began = time.monotonic()
        _say(f"== {server.version}")
        told.append((server, _ask(server, real, tools, PORT + number), time.monotonic() - began))
    for server, result, seconds in told:
        _say(f"{server.version:10} {result} ({seconds:.0f} s)")
    return 0 if {"passed"} == {result for _, result, _ in told} - {"missing"} else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _ask(server: Server, real: Path, tools: Path, port: int) -> str:
    """Start a server, run the tests, stop it, and return what came of it."""
    token = LOGIN if server.is_gradio else TOKEN
    start = [tools / "start", real, "--port", str(port), "--token", token, *server.choice]
    stop = [tools / "stop", real, *server.choice]
    # What stands in for the trainers of old versions is run by `python` and wants Pillow.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path}
    if subprocess.run(start, stdout=subprocess.DEVNULL, env=env, check=False).returncode:
        return "did not start"
    try:
        return _tested(server, real, f"http://127.0.0.1:{port}", token)
    finally:
        subprocess.run(stop, stdout=subprocess.DEVNULL, check=False)


def _tested(server: Server, real: Path, url: str, token: str) -> str:
    given = {"AITK_CONTRACT_URL": url, "AITK_TOKEN": token, "AITK_CONTRACT_VERSION": server.version}
    if server.version == "2026-08":
        # The one with a trainer of its own.
        tiny = real / "tiny-models" / "sd15"
        given["AITK_CONTRACT_TRAIN"] = f"--arch sd15 --base-model '{tiny}' --resolution 256"
    tests = [PATH, "tests/cli/test_results.py", "tests/contract/test_webui.py"]
    if server.is_gradio:
        user, password = token.split(":")
        given |= {"AITK_GRADIO_CONTRACT_URL": url, "AITK_GRADIO_CONTRACT_USER": user}
        given["AITK_GRADIO_CONTRACT_PASSWORD"] = password
        tests = [PATH, "tests/contract/test_gradio.py"]
    command = [sys.executable, "-m", "pytest", "-q", *sys.argv[1:], *tests]
    ended = subprocess.run(command, env={**os.environ, **given}, check=False)
    return "failed" if ended.returncode else "passed"


if __name__ == "__main__":
    sys.exit(main())
