"""The form for a dataset, in its parts."""
