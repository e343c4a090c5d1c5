"""Tests of addresses, credentials and secrets."""
