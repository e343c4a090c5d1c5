"""Finding out what answers at an address."""
