"""What the model is told of its circles."""

from __future__ import annotations

from fanfold.run.circles import ALTERNATION, FAILED_EDITS, NO_PROGRESS, SAME_CALL, SAME_ERROR

ADVICE = {
    SAME_CALL: "The same call has given the same result several times. Try something else.",
    SAME_ERROR: "The same error came back several times. Change the approach.",
    ALTERNATION: "You go back and forth between two calls with the same results. Step out of it.",
    FAILED_EDITS: "Several edits of this file failed. Work from its text as given above.",
    NO_PROGRESS: "For many calls nothing has changed and nothing new was read. Decide and act,"
    " or submit as blocked and say what is missing.",
}
