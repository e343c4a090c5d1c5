"""The embedded Gradio server as a script: AI Toolkit's Gradio app, in a harmless form.

`python aitk_nb/demo/gradio/app.py --data FOLDER` serves on loopback until its stdin ends (when that
is a pipe) or Ctrl-C comes. The first line on stdout is the address, all else goes to stderr. It
runs under Gradio 4.44, 5 and 6, and needs beside it only NumPy, Pillow, PyYAML and safetensors.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "NO_PROXY": "*",  # Gradio asks itself over loopback whether it has started
}
_SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "API_KEY", "AUTH")
_ATTEMPTS = 5


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the end of stdin or Ctrl-C; the process ends here."""
    options = _options(arguments)
    auth = _login(options)
    os.chdir(options.data)
    _quiet_environment(options)
    # All that loads NumPy or Gradio comes after the environment is as it shall be.
    from aitk_nb.demo.common.folder_lock import FolderInUse, FolderLock
    from aitk_nb.demo.trainer.main import end_with_stdin

    lock = FolderLock(Path.cwd())
    try:
        lock.acquire()
    except FolderInUse as exc:
        sys.exit(str(exc))
    end_with_stdin()
    url = _serve(options, auth)
    print(url, flush=True)  # noqa: T201 - whoever started this reads it
    sys.stdout = sys.stderr
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        # A training thread would keep an ordinary end waiting.
        os._exit(130)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(), help="folder to work in")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--user-env", default="", help="variable with the user name of the login")
    parser.add_argument("--password-env", default="", help="variable with its password")
    parser.add_argument(
        "--flush-seconds", type=float, default=0.25, help="how often losses are written"
    )
    parser.add_argument("--step-seconds", type=float, default=0.0, help="extra time for each step")
    parser.add_argument(
        "--hold", type=Path, help="file with the step that no training passes while it is there"
    )
    parser.add_argument(
        "--no-captioner", action="store_true", help="as if the captioning model cannot be had"
    )
    parser.add_argument(
        "--allow", action="append", default=[], help="what GRADIO_ALLOWED_PATHS would hold"
    )
    options = parser.parse_args(arguments)
    if bool(options.user_env) != bool(options.password_env):
        parser.error("--user-env and --password-env go together")
    return options


def _login(options: argparse.Namespace) -> tuple[str, str] | None:
    """Take user name and password out of the environment, where a child would find them."""
    if not options.user_env:
        return None
    user, password = (os.environ.pop(name, "") for name in (options.user_env, options.password_env))
    if not user or not password:
        sys.exit(f"{options.user_env} and {options.password_env} must both hold something.")
    return user, password


def _quiet_environment(options: argparse.Namespace) -> None:
    """Leave nothing secret, no proxy, and nothing that would make Gradio call somebody."""
    for name in list(os.environ):
        upper = name.upper()
        if (
            upper.startswith(("GRADIO_", "HF_", "AITK_", "AI_TOOLKIT_"))
            or upper.endswith("_PROXY")
            or any(word in upper for word in _SECRET_WORDS)
        ):
            del os.environ[name]
    os.environ.update(_QUIET, **dict.fromkeys(_ONE_THREAD, "1"))
    # The root below which Gradio serves every file; on a real server this is in /tmp.
    os.environ["GRADIO_TEMP_DIR"] = str(Path.cwd() / "gradio")
    if options.allow:
        os.environ["GRADIO_ALLOWED_PATHS"] = ",".join(options.allow)


class WithoutStubs(importlib.abc.MetaPathFinder):
    """Keeps Gradio from writing type stubs beside its components, half of the time of its import.

    Nobody reads them here, and two servers that start at once would write the same files.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Let the module that writes them do nothing where it would."""
        if name != "gradio.component_meta":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_quiet(module: ModuleType) -> None:
                run(module)
                module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]

            spec.loader.exec_module = run_and_quiet  # type: ignore[method-assign]
        return spec


def _serve(options: argparse.Namespace, auth: tuple[str, str] | None) -> str:
    """Begin to answer, and return the address without a slash at the end."""
    sys.meta_path.insert(0, WithoutStubs())
    from aitk_nb.demo.gradio import page
    from aitk_nb.demo.gradio.handlers import Handlers
    from aitk_nb.demo.gradio.training import Pace

    pace = Pace(options.step_seconds, options.flush_seconds, options.hold)
    handlers = Handlers(pace, captioner=not options.no_captioner)
    blocks, looks = page.build(handlers)
    for attempt in range(_ATTEMPTS):
        port = options.port or _free_port()
        try:
            _launch(blocks, port, auth, looks)
        except OSError as exc:
            # Between asking for a free port and taking it, somebody else may have taken it.
            if options.port or attempt == _ATTEMPTS - 1:
                sys.exit(f"Cannot listen on 127.0.0.1:{port}: {exc}")
        else:
            return f"http://127.0.0.1:{port}"
    raise AssertionError("the loop returns or exits")


def _launch(
    blocks: Any,
    port: int,
    auth: tuple[str, str] | None,
    looks: dict[str, Any],
) -> None:
    # `show_error` is the real app's too: it is why error texts reach clients.
    blocks.launch(
        server_name="127.0.0.1",
        server_port=port,
        auth=auth,
        share=False,
        show_error=True,
        inbrowser=False,
        quiet=True,
        prevent_thread_lock=True,
        **looks,
    )


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
    return port


if __name__ == "__main__":
    here = Path(__file__).resolve()
    # As a script it has its own folder first on the path, whose modules have everyday names.
    sys.path[:] = [str(here.parents[3]), *(p for p in sys.path if Path(p) != here.parent)]
    main()
