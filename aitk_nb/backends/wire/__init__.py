"""HTTP: requests, uploads and downloads, whatever server answers."""
