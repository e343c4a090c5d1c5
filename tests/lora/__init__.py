"""Tests of LoRA files."""
