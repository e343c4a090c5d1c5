"""The whole way, and the login, on each generation of Gradio."""

from __future__ import annotations

from tests.backends.test_gradio_path import *  # noqa: F403
