"""The container that runs one attempt."""
