"""The subagent: loop, tools, policy, context and report."""
