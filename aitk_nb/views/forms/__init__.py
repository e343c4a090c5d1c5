"""The forms for the connection and the training."""
