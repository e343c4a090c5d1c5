"""The demo server's inference engine: a job that never ends, with a server of its own."""
