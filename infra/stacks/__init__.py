"""The stacks, as compositions of constructs."""
