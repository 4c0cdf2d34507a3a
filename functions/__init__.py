"""The handlers of the functions: parse, one step, serialise."""
