"""What `fanfold doctor` looks at in the account that runs in the cloud go to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fanfold.adapters.aws.failures import translated
from fanfold.adapters.aws.stack import read_outputs
from fanfold.cli.engines.aws import Account
from fanfold.cli.engines.whereabouts import place_of
from fanfold.cli.finding import Finding
from fanfold.errors import CloudError, FanfoldError
from fanfold.settings import deployment_of, offer_of, own_version

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from fanfold.bootstrap import Project
    from fanfold.settings import Offer

SIGN_IN = "`aws configure sso`, then `aws sso login`; or set AWS_PROFILE"
DEPLOY = "`make deploy` in a checkout of fanfold (docs/deploy.md)"
AGREE = "accept its terms: Amazon Bedrock console, Model catalog, {model}"
MORE = (
    "`aws service-quotas request-service-quota-increase --service-code lambda "
    "--quota-code L-B99A9384 --desired-value 1000`"
)


def examine_cloud(project: Project) -> Iterator[Finding]:
    """The identity, the region, the deployment and what it needs of its account."""
    account = Account(project, place_of(project, project.settings.cloud))
    identity = _identity(account)
    yield identity
    if not identity.ok:
        return
    region = account.clients.stacks.meta.region_name
    yield Finding("region", True, f"{region}, where runs with --engine aws go")
    deployed, offer = _deployment(account)
    yield deployed
    if offer is None:
        return
    yield _concurrency(account, offer)
    if offer.provider == "bedrock":
        for model in offer.models:
            yield _model(account, model)


def _identity(account: Account) -> Finding:
    try:
        with translated("see who you are"):
            arn = account.clients.identity.get_caller_identity()["Arn"]
    except CloudError as error:
        return Finding("identity", False, str(error), SIGN_IN)
    return Finding("identity", True, arn)


def _deployment(account: Account) -> tuple[Finding, Offer | None]:
    stack = account.place.stack
    try:
        outputs = read_outputs(account.clients, f"{stack}-control")
        version, offer = deployment_of(outputs).version, offer_of(outputs)
    except FanfoldError as error:
        return Finding("deployment", False, str(error), DEPLOY), None
    told = f"{stack} has fanfold {version}, profile {offer.profile}"
    same = version == own_version()
    told += "" if same else f"; this is fanfold {own_version()}"
    return Finding("deployment", same, told, DEPLOY), offer


def _concurrency(account: Account, offer: Offer) -> Finding:
    """A fresh account runs ten functions at once; what is above waits, and is no failure."""
    with _told("concurrency", required=False) as failed:
        with translated("read the quotas of Lambda"):
            limits = account.clients.functions.get_account_settings()["AccountLimit"]
        allowed = limits.get("ConcurrentExecutions", 0)
        told = f"{allowed} functions at once, for up to {offer.attempts} attempts"
        return Finding("concurrency", allowed > offer.attempts, told, MORE, required=False)
    return failed[0]


def _model(account: Account, model: str) -> Finding:
    mend = AGREE.format(model=model)
    with _told("model access") as failed:
        with translated(f"see whether {model} may be called"):
            found: Any = account.clients.models.get_foundation_model_availability(modelId=model)
        missing = [
            word
            for word, holds in (
                ("its terms are not agreed to", _agreed(found)),
                ("this account is not authorized", found["authorizationStatus"] == "AUTHORIZED"),
                ("not entitled", found["entitlementAvailability"] == "AVAILABLE"),
                ("not in this region", found["regionAvailability"] == "AVAILABLE"),
            )
            if not holds
        ]
        told = f"{model}: {', '.join(missing) or 'may be called'}"
        return Finding("model access", not missing, told, mend)
    return failed[0]


def _agreed(found: Any) -> bool:
    return found["agreementAvailability"]["status"] == "AVAILABLE"


@contextmanager
def _told(name: str, *, required: bool = True) -> Generator[list[Finding]]:
    """What could not be looked at is a finding too."""
    failed: list[Finding] = []
    try:
        yield failed
    except CloudError as error:
        mend = "ask for the policy `<stack>-user`, which allows to look"
        failed.append(Finding(name, False, str(error), mend, required))
