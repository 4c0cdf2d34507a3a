"""The container between workers and the outside."""
