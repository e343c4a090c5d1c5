"""Lost lines, restarts and second kernels, on each generation of Gradio."""

from __future__ import annotations

from tests.backends.test_gradio_lost import *  # noqa: F403
