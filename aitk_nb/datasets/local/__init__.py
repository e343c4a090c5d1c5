"""Datasets on this machine: what a folder, zip or list holds, and what is wrong with it."""
