"""The shipped notebooks, executed and compared."""
