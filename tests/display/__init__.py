"""Tests of what people are shown: safe HTML and bars."""
