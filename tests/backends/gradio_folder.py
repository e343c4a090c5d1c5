"""A Gradio server that serves one folder, and counts what it sends."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])


def main() -> None:
    """Serve until the standard input closes."""
    from aitk_nb.demo.gradio.app import WithoutStubs

    sys.meta_path.insert(0, WithoutStubs())
    import gradio

    with gradio.Blocks() as app:
        gradio.Markdown("files")
    _app, url, _shared = app.launch(
        server_name="127.0.0.1",
        share=False,
        allowed_paths=[str(FOLDER)],
        prevent_thread_lock=True,
        quiet=True,
    )
    sys.stdout.write(url.rstrip("/") + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
