"""The programs of the containers."""
