"""The embedded copy of AI Toolkit's web UI."""
