"""Adapters over the Claude Messages API."""
