"""Tests of training parameters and job configs."""
