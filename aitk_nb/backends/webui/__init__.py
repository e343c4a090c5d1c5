"""AI Toolkit's own web UI, by its REST API."""
