"""Plan text to task graph, and back, byte for byte."""
