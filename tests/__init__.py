"""Tests; `pytest` from the root of the repository runs them."""
