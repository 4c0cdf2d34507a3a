"""The ways out of the loop, as exceptions; each knows the `Exit` that the report will say."""

from __future__ import annotations

from fanfold.run.attempt import Exit


class Stop(Exception):
    """The attempt ends here; `detail` is one line for a person."""

    exit = Exit.CRASHED

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class Submitted(Stop):
    """The model handed in its work; what it said is in the bench's submission."""

    exit = Exit.SUBMITTED


class NoSubmit(Stop):
    """The model kept ending its turn without a tool call and without a change."""

    exit = Exit.NO_SUBMIT


class LimitReached(Stop):
    """As many steps as the attempt may take."""

    exit = Exit.STEPS


class BudgetSpent(Stop):
    """What the slice still holds does not pay for one more useful call."""

    exit = Exit.BUDGET


class OutOfTime(Stop):
    """The attempt's minutes are over."""

    exit = Exit.TIMEOUT


class DeadlineNear(Stop):
    """The place it runs in is about to end it; another place goes on from its tree."""

    exit = Exit.ESCALATE


class StuckLoop(Stop):
    """It circles, and a nudge did not help."""

    exit = Exit.STUCK


class Refused(Stop):
    """The model declined."""

    exit = Exit.REFUSED


class ContextFull(Stop):
    """The conversation does not fit the model's window any more."""

    exit = Exit.CONTEXT_FULL


class NoModel(Stop):
    """No reply after all tries."""

    exit = Exit.MODEL_UNAVAILABLE


class ModelShut(Stop):
    """The key, the model or its price is not there for us: no retry helps."""

    exit = Exit.MODEL_DENIED


class BadRequest(Stop):
    """The API refuses this very request."""

    exit = Exit.MODEL_REJECTED


class Halted(Stop):
    """Told from outside to stop: interrupted, cancelled, or the claim is somebody else's."""

    def __init__(self, exit_: Exit, detail: str = "") -> None:
        super().__init__(detail)
        self.exit = exit_
