"""Project: bring the views up to date with the streams that have grown; count and tell news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

from fanfold.bootstrap_aws import deployed
from functions.handling import logger
from functions.metrics import count

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context
def handler(
    event: dict[str, Any], context: LambdaContext, cloud: Cloud | None = None
) -> PartialItemFailureResponse:
    """A record only says which stream to look at; one that fails comes again with what follows."""
    here = cloud or deployed()

    def take_in(record: DynamoDBRecord) -> None:
        stream: str = record.raw_event["dynamodb"]["Keys"]["stream"]["S"]
        kind, run_id, *attempt = stream.split("/")
        if kind == "batch":
            here.batch_projected(run_id)
        if kind != "run":
            return
        news = here.projections(run_id).project(stream)
        if not attempt:
            count(news, lambda: here.supervision.journal(run_id).refresh())
            here.announced(run_id)

    processor: Any = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    with processor(event["Records"], take_in, context):
        processor.process()
    return processor.response()
