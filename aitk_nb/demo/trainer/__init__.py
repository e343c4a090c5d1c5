"""The embedded trainer: small, but it trains."""
