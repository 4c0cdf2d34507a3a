"""An agent of another make: as if a coding CLI took the attempt by one command of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.run.attempt import Exit, Report, Usage
from fanfold.run.attempt_fold import fold_told
from fanfold.run.events import ModelCalled, ModelCallStarted

if TYPE_CHECKING:
    from fanfold.agent.desk import Desk
    from fanfold.run.attempt import Context


class CommandLineAgent:
    """Writes `files` after one paid call, and then says `summary`; `fails` by an error instead."""

    def __init__(self, files: dict[str, bytes], summary: str, *, fails: bool = False) -> None:
        self.files, self.summary, self.fails = files, summary, fails

    def __call__(self, context: Context, desk: Desk) -> Report:
        try:
            exit_, detail = self._work(context, desk), ""
        except Exception as error:
            exit_, detail = Exit.CRASHED, str(error)
        told = fold_told(desk.events.told)
        return Report(
            attempt=context.attempt,
            unit=context.unit,
            exit=exit_,
            status="done" if exit_ is Exit.SUBMITTED else "failed",
            summary=desk.secrets.redact(self.summary),
            detail=desk.secrets.redact(detail),
            files=tuple(self.files),
            tree=desk.workspace.tree(),
            usage=told.usage,
            cost=told.cost,
            steps=told.metrics.steps,
            metrics=told.metrics,
        )

    def _work(self, context: Context, desk: Desk) -> Exit:
        worst = desk.prices.worst_case(context.model, 1_000, 1_000)
        if worst > context.limits.slice:
            return Exit.BUDGET
        for path, data in self.files.items():
            stopped = desk.keep_going()
            if stopped is not None:
                return stopped
            self._pay(context, desk, worst)
            desk.transcript({"kind": "command", "said": desk.secrets.redact(self.summary)})
            desk.workspace.write(path, data)
        if self.fails:
            raise RuntimeError("the command ended with 2")
        return Exit.SUBMITTED

    def _pay(self, context: Context, desk: Desk, worst: int) -> None:
        call = sum(isinstance(event, ModelCallStarted) for event in desk.events.told) + 1
        desk.events.append(ModelCallStarted(call, context.model, worst, 1_000))
        usage = Usage(input=900, output=100)
        cost = desk.prices.cost(context.model, usage)
        desk.events.append(ModelCalled(call, f"cli_{call}", usage, cost, 5, "end_turn"))
