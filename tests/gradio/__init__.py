"""Tests against older generations of Gradio, in environments of their own."""
