"""Adapters over git repositories."""
