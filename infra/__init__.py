"""The cloud side as code: stacks, constructs and their settings."""
