"""IAM's evaluation of a request, as far as our policies use it; whatever else is in one fails.

After the IAM user guide ("Policy evaluation logic", "IAM JSON policy elements"): an explicit deny
wins; else identity policy, permissions boundary, session policy and endpoint policy must each
allow, those that there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Statement = dict[str, Any]
Values = tuple[str, ...]

FIELDS = {
    *("Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource"),
    "Condition",
}
KEYS = re.compile(
    r"aws:(PrincipalAccount|PrincipalArn|SecureTransport|SourceAccount|SourceArn|TagKeys)"
    r"|aws:(Principal|Request)Tag/[\w-]+"
    r"|bedrock:InferenceProfileArn|dynamodb:LeadingKeys|ecs:(cluster|CreateAction)"
    r"|events:detail-type|iam:PassedToService|kms:ViaService|lambda:SourceFunctionArn"
    r"|s3:(prefix|TlsVersion)|secretsmanager:(SecretId|resource/\w+)"
)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERAL = {"*": "*", "?": "?", "$": "$"}


class Unsupported(Exception):
    """A policy says something that this evaluator does not know."""


@dataclass(frozen=True)
class Request:
    """Who wants to do what to which resource; `context` are the condition keys that are there."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, str | Values] = field(default_factory=dict[str, "str | Values"])

    def values(self, key: str) -> Values | None:
        """Of a condition key; None where the request has no such key. Keys differ in no case."""
        for name, value in self.context.items():
            if name.lower() == key.lower():
                return (value,) if isinstance(value, str) else value
        return None


@dataclass(frozen=True)
class Policies:
    """All that bears on a request; None is a kind of policy that there is not."""

    identity: Sequence[Statement]
    boundary: Sequence[Statement] | None = None
    session: Sequence[Statement] | None = None
    endpoint: Sequence[Statement] | None = None
    resource: Sequence[Statement] = ()
    """Denials alone: what a resource's own policy allows is asked for by itself."""


def is_allowed(request: Request, policies: Policies) -> bool:
    """Raises `Unsupported`."""
    parts = (policies.boundary, policies.session, policies.endpoint)
    filters = [policies.identity, *(part for part in parts if part is not None)]
    everything = [statement for part in (*filters, policies.resource) for statement in part]
    for statement in everything:
        check(statement)
    if any(s["Effect"] == "Deny" and applies(s, request) for s in everything):
        return False
    return all(_allows(part, request) for part in filters)


def _allows(statements: Sequence[Statement], request: Request) -> bool:
    return any(s["Effect"] == "Allow" and applies(s, request) for s in statements)


def check(statement: Statement) -> None:
    """Raises `Unsupported` for what cannot be judged, whether or not it would apply."""
    unknown = statement.keys() - FIELDS
    if unknown or statement.get("Effect") not in {"Allow", "Deny"}:
        raise Unsupported(f"{unknown or statement.get('Effect')} in {statement}")
    for operator, conditions in statement.get("Condition", {}).items():
        _operator(operator)
        for key in conditions:
            if not KEYS.fullmatch(key):
                raise Unsupported(f"condition key {key!r}")


def applies(statement: Statement, request: Request) -> bool:
    """Whether principal, action, resource and every condition fit."""
    return (
        _fits_principal(statement.get("Principal"), request.principal)
        and _fits(statement, "Action", request, _fits_action)
        and _fits(statement, "Resource", request, _fits_resource)
        and all(
            _holds(operator, key, _as_list(wanted), request)
            for operator, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        )
    )


def _fits_principal(wanted: Any, principal: str) -> bool:
    """Identity policies name none. An account's root stands for all that is in the account."""
    if wanted is None or wanted == "*":
        return True
    kind = "Service" if principal.endswith(".amazonaws.com") else "AWS"
    if set(wanted) - {"AWS", "Service"}:
        raise Unsupported(f"principal {wanted}")
    named = _as_list(wanted.get(kind, []))
    account = principal.split(":")[4] if kind == "AWS" else ""
    return any(n in {"*", principal, f"arn:aws:iam::{account}:root"} for n in named)


def _fits(
    statement: Statement, name: str, request: Request, fit: Callable[[str, Request], bool]
) -> bool:
    if name in statement:
        return any(fit(pattern, request) for pattern in _as_list(statement[name]))
    if f"Not{name}" in statement:
        return not any(fit(pattern, request) for pattern in _as_list(statement[f"Not{name}"]))
    return name == "Resource"


def _fits_action(pattern: str, request: Request) -> bool:
    return _like(pattern.lower(), request.action.lower(), {})


def _fits_resource(pattern: str, request: Request) -> bool:
    return _like(pattern, request.resource, _variables(pattern, request))


def _holds(operator: str, key: str, wanted: list[str], request: Request) -> bool:
    quantifier, name, if_exists = _operator(operator)
    found = request.values(key)
    if name == "Null":
        return (found is None) == (wanted[0] == "true")
    if found is None:
        return if_exists or quantifier == "ForAllValues" or name in _NEGATED
    if not quantifier and len(found) > 1:
        raise Unsupported(f"{operator} of several values of {key!r}")
    test = partial(_OPERATORS[name.replace("Not", "")], wanted, request)
    verdicts = [test(value) != (name in _NEGATED) for value in found]
    return any(verdicts) if quantifier == "ForAnyValue" else all(verdicts)


def _operator(operator: str) -> tuple[str, str, bool]:
    """Quantifier, name, and whether a missing key will do. Raises `Unsupported`."""
    quantifier, _, name = operator.rpartition(":")
    bare = name.removesuffix("IfExists")
    known = {*_OPERATORS, *_NEGATED, "Null"}
    if quantifier not in {"", "ForAllValues", "ForAnyValue"} or bare not in known:
        raise Unsupported(f"condition operator {operator!r}")
    return quantifier, bare, name != bare


def _equals(wanted: list[str], request: Request, value: str) -> bool:
    return any(_expanded(each, request) == value for each in wanted)


def _matches(wanted: list[str], request: Request, value: str) -> bool:
    return any(_like(each, value, _variables(each, request)) for each in wanted)


def _matches_arn(wanted: list[str], request: Request, value: str) -> bool:
    """Each of the six parts by itself."""
    return any(
        len(each.split(":", 5)) == len(value.split(":", 5)) == 6
        and all(
            _like(pattern, part, _variables(pattern, request))
            for pattern, part in zip(each.split(":", 5), value.split(":", 5), strict=True)
        )
        for each in wanted
    )


def _is(wanted: list[str], _: Request, value: str) -> bool:
    return value.lower() in {str(each).lower() for each in wanted}


def _is_less(wanted: list[str], _: Request, value: str) -> bool:
    return any(float(value) < float(each) for each in wanted)


_OPERATORS: dict[str, Callable[[list[str], Request, str], bool]] = {
    "StringEquals": _equals,
    "StringLike": _matches,
    "ArnEquals": _matches_arn,
    "ArnLike": _matches_arn,
    "Bool": _is,
    "NumericLessThan": _is_less,
}
_NEGATED = {"StringNotEquals", "StringNotLike", "ArnNotEquals", "ArnNotLike"}


def _variables(pattern: str, request: Request) -> dict[str, str] | None:
    """The values of the policy variables in `pattern`; None if one has none: nothing fits then."""
    found: dict[str, str] = {}
    for name in _VARIABLE.findall(pattern):
        if name in _LITERAL:
            found[name] = _LITERAL[name]
            continue
        if not KEYS.fullmatch(name):
            raise Unsupported(f"policy variable {name!r}")
        values = request.values(name)
        if values is None:
            return None
        if len(values) != 1:
            raise Unsupported(f"policy variable {name!r} with several values")
        (found[name],) = values
    return found


def _expanded(pattern: str, request: Request) -> str | None:
    variables = _variables(pattern, request)
    return None if variables is None else _VARIABLE.sub(lambda m: variables[m[1]], pattern)


def _like(pattern: str, value: str, variables: dict[str, str] | None) -> bool:
    """`*` and `?` of the pattern stand for anything; those in a variable's value for themselves."""
    if variables is None:
        return False
    parts = re.split(r"(\$\{[^}]*\}|\*|\?)", pattern)
    wild = {"*": ".*", "?": "."}
    regex = "".join(
        wild.get(part) or re.escape(variables[m[1]] if (m := _VARIABLE.fullmatch(part)) else part)
        for part in parts
    )
    return re.fullmatch(regex, value, re.DOTALL) is not None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
