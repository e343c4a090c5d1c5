"""Bad input, on each generation of Gradio."""

from __future__ import annotations

from tests.backends.test_gradio_input import *  # noqa: F403
