"""A world in which nothing is left to chance: each misfortune is named by its attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run import events as e
from fanfold.run.attempt import Exit
from tests.fakes.world import BASE, World

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fanfold.run.steps import Verify

CENT = 10_000


def unit(name: str, *needs: str, kind: str = "work", **more: object) -> e.UnitSpec:
    """A unit whose place in the plan follows from its name: a, b, c, …"""
    covers = needs if kind == "gate" else ()
    fields = {"order": ord(name), "title": name, "covers": covers, **more}
    return e.UnitSpec(name, (name,), needs, kind, **fields)  # pyright: ignore[reportArgumentType]


def admitted(
    *units: e.UnitSpec,
    checks: bool = True,
    limits: e.RunLimits | None = None,
    options: e.RunOptions | None = None,
) -> e.RunAdmitted:
    """A run of `units` with one required check, ten dollars and two tries a unit."""
    tests = (e.CheckSpec("test"),) if checks else ()
    limits = limits or e.RunLimits(1000 * CENT, 100 * CENT)
    return e.RunAdmitted(BASE, units, (), limits, tests, options or e.RunOptions())


class ScriptedWorld(World):
    """`ends` and `costs` (else a cent) by attempt, `conflicting` pairs, `guilty` ones or pairs."""

    def __init__(
        self,
        run: e.RunAdmitted,
        *,
        ends: Mapping[str, Exit] | None = None,
        costs: Mapping[str, int] | None = None,
        rejected: Collection[str] = (),
        conflicting: Collection[tuple[str, str]] = (),
        guilty: Collection[str | tuple[str, str]] = (),
        picks: Mapping[str, str] | None = None,
        denied: Mapping[str, int] | None = None,
        base_red: bool = False,
        unclear: bool = False,
        people: bool = True,
    ) -> None:
        self.ends, self.rejected, self.conflicting = ends or {}, rejected, conflicting
        self.guilty, self.picks, self.denied = guilty, picks or {}, denied or {}
        self.base_red, self.costs = base_red, costs or {}
        self.unclear, self.paths = unclear, dict[str, tuple[str, ...]]()
        super().__init__(run, people=people)

    def outcome_of(self, dispatched: e.AttemptDispatched) -> Exit:
        if dispatched.attempt in self.picks:
            return Exit.PICKED
        return self.ends.get(dispatched.attempt) or super().outcome_of(dispatched)

    def cost_of(self, dispatched: e.AttemptDispatched) -> int:
        return self.costs.get(dispatched.attempt, CENT)

    def choice_of(self, dispatched: e.AttemptDispatched) -> str:
        return self.picks.get(dispatched.attempt) or super().choice_of(dispatched)

    def denies(self, gate: str, times: int) -> bool:
        return times < self.denied.get(gate, 0)

    def rejects(self, attempt: str) -> bool:
        return attempt in self.rejected

    def conflicts(self, attempt: str, other: str) -> bool:
        return (attempt, other) in self.conflicting or (other, attempt) in self.conflicting

    def paths_of(self, attempt: str) -> tuple[str, ...]:
        return self.paths.get(attempt, (f"file of {attempt}",))

    def blames_nobody(self, step: Verify) -> bool:
        return self.unclear

    def base_is_red(self) -> bool:
        return self.base_red

    def is_red(self, tree: str) -> bool:
        patches = set(tree.split("+")[1:])
        return any(
            patches >= ({blame} if isinstance(blame, str) else set(blame)) for blame in self.guilty
        )

    def told(self, kind: type[e.EventData]) -> list[e.EventData]:
        """The log's events of that type."""
        return [r.data for r in self.log if isinstance(r.data, kind)]

    def statuses(self) -> dict[str, str]:
        return {name: str(u.status) for name, u in self.state.units.items()}
