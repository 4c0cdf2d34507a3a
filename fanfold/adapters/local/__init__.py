"""Adapters for a laptop."""
