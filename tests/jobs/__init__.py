"""Tests of jobs: start, watch, compare."""
