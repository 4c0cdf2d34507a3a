"""Print AWS's prefix lists of S3 and DynamoDB in the region of the AWS profile, as JSON.

They are what a group of the network names in place of the services' addresses; each region has its
own, and CloudFormation cannot look them up. Where they cannot be had, prints none and says why.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

SERVICES = ("s3", "dynamodb")


def prefix_lists(client: Any) -> list[str]:
    """The ids, in the order of `SERVICES`; raises `LookupError` where the region lacks one."""
    wanted = [f"com.amazonaws.{client.meta.region_name}.{service}" for service in SERVICES]
    found: dict[str, str] = {}
    for page in client.get_paginator("describe_managed_prefix_lists").paginate(
        Filters=[{"Name": "prefix-list-name", "Values": wanted}]
    ):
        found |= {each["PrefixListName"]: each["PrefixListId"] for each in page["PrefixLists"]}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise LookupError(f"no prefix list {', '.join(missing)}")
    return [found[name] for name in wanted]


def main() -> None:
    session: Any = boto3.Session()
    found: list[str] = []
    try:
        found = prefix_lists(session.client("ec2"))
    except (BotoCoreError, ClientError, LookupError) as error:
        sys.stderr.write(f"prefix_lists: {error}; taking those that fanfold knows\n")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
