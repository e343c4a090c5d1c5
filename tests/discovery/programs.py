"""Runs programs of four languages in a folder of their own, and compiles those of a fifth."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SUFFIX = {"curl": "sh", "javascript": "mjs", "python": "py", "gradio_client": "py"}

_OURS = ("AITK_", "AI_TOOLKIT_", "PYTHONPATH")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

# Many programs in one process, one after the other: starting an interpreter is most of the time.
_PYTHON = """
import contextlib, io, json, runpy, sys, traceback
found = {}
for path in sys.argv[1:]:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(path)
        found[path] = [0, out.getvalue(), ""]
    except BaseException:
        found[path] = [1, out.getvalue(), traceback.format_exc()]
print(json.dumps(found))
"""
_JAVASCRIPT = """
import { pathToFileURL } from "node:url";
const found = {};
for (const path of process.argv.slice(2)) {
  const lines = [];
  const log = console.log;
  const text = (word) => (typeof word === "string" ? word : JSON.stringify(word));
  console.log = (...words) => lines.push(words.map(text).join(" "));
  try {
    await import(pathToFileURL(path));
    found[path] = [0, lines.join("\\n"), ""];
  } catch (error) {
    found[path] = [1, lines.join("\\n"), String(error.stack ?? error)];
  }
  console.log = log;
}
console.log(JSON.stringify(found));
"""

CONFIG = {
    "compilerOptions": {
        "target": "ES2022",
        "module": "ESNext",
        "moduleResolution": "bundler",
        "lib": ["ES2022", "DOM", "DOM.Iterable"],
        "types": ["node"],
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "noImplicitReturns": True,
        "noUnusedLocals": True,
        "skipLibCheck": True,
        "outDir": "compiled",
    },
    "include": ["*.ts"],
}


@dataclass(frozen=True)
class Ran:
    """How a program ended."""

    code: int
    out: str
    err: str


def run(
    code: str, language: str, folder: Path, env: Mapping[str, str] | None = None, *, ok: bool = True
) -> Ran:
    """Run a program as it was printed, and check that it ends well."""
    return run_all({"program": code}, language, folder, env, ok=ok)["program"]


def run_all(
    programs: Mapping[str, str],
    language: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    *,
    ok: bool = True,
) -> dict[str, Ran]:
    """Run programs as they were printed, one after the other, and check that they end well."""
    needed = {"curl": "curl", "javascript": "node"}.get(language, sys.executable)
    if shutil.which(needed) is None:
        pytest.skip(f"there is no {needed} here")
    paths = {}
    for name, code in programs.items():
        paths[name] = folder / f"{name.strip('/')}.{SUFFIX[language]}"
        paths[name].write_text(code, encoding="utf-8")
    all_of_it = {**_clean(), **(env or {})}
    if language == "curl":
        found = {name: _shell(path, folder, all_of_it) for name, path in paths.items()}
    else:
        found = _together(paths, language, folder, all_of_it)
    for name, ran in found.items() if ok else ():
        assert 0 == ran.code, f"{name} in {language}: {ran.err}\n{ran.out}\n{programs[name]}"
    return found


def _shell(path: Path, folder: Path, env: Mapping[str, str]) -> Ran:
    done = _process(["sh", str(path)], folder, env)
    return Ran(done.returncode, done.stdout, done.stderr)


def _together(
    paths: Mapping[str, Path], language: str, folder: Path, env: Mapping[str, str]
) -> dict[str, Ran]:
    driver, command = (
        ("run.mjs", "node") if language == "javascript" else ("run.py", sys.executable)
    )
    text = _JAVASCRIPT if language == "javascript" else _PYTHON
    (folder / driver).write_text(text, encoding="utf-8")
    done = _process([command, str(folder / driver), *map(str, paths.values())], folder, env)
    assert 0 == done.returncode, done.stderr
    ended = json.loads(done.stdout.splitlines()[-1])
    return {name: Ran(*ended[str(path)]) for name, path in paths.items()}


def _process(
    command: list[str], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def _clean() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name.lower() not in _PROXIES
    }


def compiled(files: Mapping[str, str], folder: Path) -> Path:
    """Check the types of TypeScript modules in strict mode, and return the folder of JavaScript.

    Skips the test where there is no Node.js.
    """
    script = ROOT / ".ci" / "typescript"
    found = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
    if found.returncode == 3:
        pytest.skip(found.stderr.strip())
    assert 0 == found.returncode, found.stderr
    tsc = Path(found.stdout.strip())
    for name, text in files.items():
        (folder / f"{name}.ts").write_text(text, encoding="utf-8")
    options = {**CONFIG["compilerOptions"], "typeRoots": [str(tsc.parents[2] / "@types")]}
    config = json.dumps({**CONFIG, "compilerOptions": options})
    (folder / "tsconfig.json").write_text(config, encoding="utf-8")
    done = _process(["node", str(tsc), "-p", str(folder)], folder, _clean())
    assert 0 == done.returncode, done.stdout[:4000]
    return folder / "compiled"
