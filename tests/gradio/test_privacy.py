"""What leaves for a Gradio server, of each generation."""

from __future__ import annotations

from tests.backends.test_gradio_privacy import *  # noqa: F403
