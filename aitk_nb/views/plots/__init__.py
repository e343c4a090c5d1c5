"""Figures of losses, buckets and samples."""
