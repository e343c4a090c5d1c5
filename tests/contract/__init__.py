"""What a real server answers, as data, and the tests that run it."""
