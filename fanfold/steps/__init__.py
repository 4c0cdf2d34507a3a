"""The use cases of a run, one a file."""
