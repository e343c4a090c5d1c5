"""What happens when the network or a server misbehaves."""
