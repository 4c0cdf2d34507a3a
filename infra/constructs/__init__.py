"""Building blocks of the stacks, one role each."""
