"""Tests of grids of pictures."""
