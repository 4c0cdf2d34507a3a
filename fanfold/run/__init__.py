"""The decider: events, state, decide, money, placement."""
