"""Tests of discovery, its documents and the programs it prints."""
