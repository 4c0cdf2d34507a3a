"""fanfold: run a reviewed plan as a fleet of coding subagents."""
