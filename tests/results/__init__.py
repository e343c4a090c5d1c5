"""Tests of what comes of a training."""
