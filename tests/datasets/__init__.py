"""Tests of datasets, local and on the server."""
