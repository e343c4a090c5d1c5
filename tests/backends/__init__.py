"""Tests of the seam to the wire."""
