"""Tests of forms, monitor and plots."""
