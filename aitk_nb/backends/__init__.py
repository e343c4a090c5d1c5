"""The one seam to the wire: everything above speaks our words, everything below the server's."""
