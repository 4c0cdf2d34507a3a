"""Every request of a person's commands, judged by the policy that people are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanfold.adapters.aws.clients import Clients
from tests.fakes.batches import all_letters, tracks_repository
from tests.fakes.hosted import STACK, hosted
from tests.fakes.projects import fanfold
from tests.fakes.tracks import OPEN_TRACK, clashing, letters, letters_repository, play
from tests.kit.assembly import ACCOUNT, HERE, REGION, Assembly, Role
from tests.kit.guard import Asked, permissions

if TYPE_CHECKING:
    import pytest

GATED = """\
# Letters

## Phase 1: Greek

- [ ] Task: Write alpha
- [ ] Task: Conductor - User Manual Verification 'Greek' (Protocol in workflow.md)
"""
LOOKED_AT_BY_THE_DOCTOR = {
    *("bedrock:GetFoundationModelAvailability", "bedrock:GetInferenceProfile"),
    "lambda:GetAccountSettings",
}


def user_of(account: Assembly) -> Role:
    (policy,) = (
        found["PolicyDocument"]["Statement"]
        for found in account.of_type("AWS::IAM::ManagedPolicy").values()
        if found["ManagedPolicyName"] == "fanfold-dev-user"
    )
    anything = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    return Role(f"arn:aws:iam::{ACCOUNT}:role/Developers", policy, anything, [])


def taken(service: str, name: str, params: Any, key: str) -> list[Asked]:
    """What a request takes of the services that no function calls."""
    match service:
        case "cloudformation":
            stack = params["StackName"].replace(STACK, "fanfold-dev")
            arn = f"arn:aws:cloudformation:{HERE}:stack/{stack}/0"
            return [Asked("cloudformation:DescribeStacks", arn)]
        case "lambda":
            function = params["FunctionName"].rpartition(":function:")[2]
            arn = f"arn:aws:lambda:{HERE}:function:fanfold-dev-{function}"
            return [Asked(f"lambda:{name}Function", arn)]
        case "sts":
            return []  # everybody may ask who they are
        case "events":
            (entry,) = params["Entries"]
            bus = f"arn:aws:events:{HERE}:event-bus/fanfold-dev"
            return [Asked("events:PutEvents", bus, {"events:detail-type": entry["DetailType"]})]
        case "s3" if name == "PutObject":
            by_way: dict[str, str | tuple[str, ...]] = {
                "kms:ViaService": f"s3.{REGION}.amazonaws.com"
            }
            sealed = Asked("kms:GenerateDataKey", key, by_way)
            return [*permissions(service, name, params, key), sealed]
        case _:
            return permissions(service, name, params, key)


def settle_by_hand(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, folder, *clashing())
    assert fanfold(root, "run", "--engine", "aws", "--budget", "5", "--unit", "task").code == 1
    settled = Path(fanfold(root, "resolve", "1.2", "--json").json["folder"]) / "same.txt"
    settled.write_text("both\n")
    assert fanfold(root, "resolve", "1.2", "--continue", "--json").json["outcome"] == "completed"


def test_the_policy_of_users_is_what_their_commands_take(
    assembly: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Assembly(assembly)
    user, asked = user_of(account), list[Asked]()

    class Recorded(Clients):
        def _client(self, *which: Any, **how: Any) -> Any:
            client = super()._client(*which, **how)
            client.meta.events.register("provide-client-params", record, unique_id="record")
            return client

    def record(params: Any, model: Any, **_: object) -> None:
        asked.extend(taken(model.service_model.service_name, model.name, params, account.key_arn))

    monkeypatch.setattr("fanfold.cli.engines.aws.Clients", Recorded)
    play(monkeypatch, tmp_path, *letters())
    root = letters_repository(tmp_path / "project", GATED)
    with hosted(tmp_path, monkeypatch):
        codes = [
            fanfold(root, *words).code
            for words in (
                ("run", "--engine", "aws", "--budget", "5", "--check", "true"),
                *(("retry", "1.1"), ("approve",), ("resume",), ("watch",), ("show",)),
                *(("show", "--patch"), ("events", "--attempts"), ("cost",), ("apply",)),
                *(("clean",), ("status", "--engine", "aws")),
            )
        ]
        assert codes == [3, 3, *[0] * 10]
        monkeypatch.setenv("FANFOLD_LIMITS_RUN_USD", "5")
        ready = letters_repository(tmp_path / "ready", OPEN_TRACK)
        assert [fanfold(ready, *words).code for words in (("ready",), ("cancel",))] == [0, 0]
        settle_by_hand(letters_repository(tmp_path / "other", OPEN_TRACK), tmp_path, monkeypatch)
        play(monkeypatch, tmp_path, *all_letters())
        batch = tracks_repository(tmp_path / "batch")
        words = (
            ("run", "--all-open", "--engine", "aws", "--check", "true"),
            ("apply",),
            ("clean",),
        )
        assert [fanfold(batch, *each).code for each in words] == [0, 0, 0]
    refused = [a for a in asked if not user.may(a.action, a.resource, a.context)]
    assert refused == []
    assert user.actions - {a.action for a in asked} == LOOKED_AT_BY_THE_DOCTOR
