"""Tests of loss histories."""
