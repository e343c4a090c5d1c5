"""Tests of the code that a discovery report gives out: it is run as printed."""
