"""Tests of `client.inference`."""
