"""Tests of authentication: who is let in, told over real sockets."""
