"""The report of a run for a person, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.run.holds import is_held
from fanfold.run.state import Outcome
from fanfold.run.view import gate_line, run_view

if TYPE_CHECKING:
    from fanfold.run.state import RunState

HEADLINES = {
    Outcome.COMPLETED: "completed",
    Outcome.INCOMPLETE: "ended, but not everything was merged",
    Outcome.WAITING: "waits for a person",
    Outcome.CANCELLED: "cancelled",
    Outcome.FAILED: "stopped by something outside; it can be resumed",
}


def render_report(state: RunState, outcome: Outcome | None) -> str:
    """The report: tasks, price, checks, gates, conflicts, dropped paths and the next command."""
    view = run_view(state)
    sections = [
        f"# Run {state.run_id}: {_headline(outcome)}",
        _summary(state, view),
        _tasks(view),
        _checks(view),
        _gates(view),
        _listing("Held for a person", _held(state)),
        _listing("Conflicts", _conflicts(view)),
        _listing("Dropped paths (fanfold writes these itself)", view["dropped_paths"]),
        _listing("Hosts that commands were kept from", _denied(view)),
        _listing("Plan tasks that changed meanwhile", list(_written(state, "changed"))),
        _listing("Plan tasks that are gone", list(_written(state, "vanished"))),
        _listing("Next", [f"`{command}`" for command in view["next"]]),
    ]
    return "\n\n".join(s for s in sections if s) + "\n"


def _headline(outcome: Outcome | None) -> str:
    return HEADLINES[outcome] if outcome else "under way, or interrupted"


def _summary(state: RunState, view: dict[str, Any]) -> str:
    verified = "yes" if view["verified"] else _why_unverified(state)
    lines = [
        f"- Plan: {state.plan}",
        f"- Base: {state.base}",
        f"- Result: {view['branch'] or 'none'}, tree {view['tree']}",
        f"- Verified: {verified}",
        f"- Cost: ${view['cost_usd']} of ${view['cap_usd']}",
        f"- Time: {view['duration_s']} s",
        f"- Agents: {effort(view['metrics'])}",
    ]
    return "\n".join(lines)


def effort(metrics: dict[str, Any]) -> str:
    """What attempts took, in a line; counts of trouble only where there was any."""
    parts = [
        f"{metrics['steps']} steps",
        f"{metrics['tool_calls']} tool calls",
        f"{metrics['input_tokens']} tokens in, {metrics['cache_share']:.0%} from the cache",
        f"{metrics['output_tokens']} out ({metrics['tokens_a_step']} a step)",
    ]
    trouble = ("tool_errors", "denied", "repeats", "nudges", "retries", "compactions")
    parts += [f"{name.replace('_', ' ')} {metrics[name]}" for name in trouble if metrics[name]]
    return ", ".join(parts)


def _why_unverified(state: RunState) -> str:
    if not state.checks:
        return "NO: no check is configured, so nothing says that the result works"
    red = [r.command for r in state.results if r.required and not r.ok]
    return "NO: " + ("red: " + ", ".join(red) if red else "the checks did not run on the result")


def _tasks(view: dict[str, Any]) -> str:
    rows = [
        f"| {t['id']} | {_cell(t['title'])} | {t['state']}"
        f"{' (' + t['reason'] + ')' if t['reason'] else ''} | {t['attempts']} | "
        f"{(t['commit'] or '')[:7]} | ${t['cost_usd']} |"
        for t in view["tasks"]
    ]
    head = ["| task | title | state | attempts | commit | cost |", "|---|---|---|---|---|---|"]
    return "## Tasks\n\n" + "\n".join(head + rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _checks(view: dict[str, Any]) -> str:
    lines = [
        f"- {'green' if c['ok'] else 'RED'}{'' if c['required'] else ' (advisory)'}"
        f"{' (red on the base already)' if c['baseline_ok'] is False else ''}"
        f"{' (flaky: green only when run again)' if c['flaky'] else ''}: `{c['command']}`"
        for c in view["checks"]
    ]
    return "## Checks\n\n" + "\n".join(lines) if lines else ""


def _gates(view: dict[str, Any]) -> str:
    lines = [
        f"- {gate_line(g)}" + (f"; `{g['approve']}`" if g["approve"] else "") for g in view["gates"]
    ]
    return "## Gates\n\n" + "\n".join(lines) if lines else ""


def _held(state: RunState) -> list[str]:
    """Tasks that kept failing alike, with what was tried."""
    held = (u.spec.id for u in state.units.values() if is_held(u))
    return [f"{unit}: {state.gates[unit].reason}" for unit in held]


def _conflicts(view: dict[str, Any]) -> list[str]:
    return [f"{t['id']} {t['title']}" for t in view["tasks"] if t["state"] == "conflicted"]


def _denied(view: dict[str, Any]) -> list[str]:
    return [
        f"{d['host']}, by {', '.join(d['by'])}; to allow it, in fanfold.toml: `{d['allow']}`"
        for d in view["denied_hosts"]
    ]


def _written(state: RunState, name: str) -> tuple[str, ...]:
    return getattr(state.written, name) if state.written else ()


def _listing(title: str, items: list[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {item}" for item in items) if items else ""
