"""Start: begin what messages ask for, runs and batches; one that fails comes again alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

from fanfold.bootstrap_aws import deployed
from fanfold.errors import FanfoldError
from fanfold.steps.carry_on import carry_on
from fanfold.steps.intake import accept
from fanfold.steps.start import start
from functions.handling import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context
def handler(
    event: dict[str, Any], context: LambdaContext, cloud: Cloud | None = None
) -> PartialItemFailureResponse:
    supervision = (cloud or deployed()).supervision

    def begin(record: SQSRecord) -> None:
        try:
            asked = accept(record.body, supervision.artifacts)
            if asked.is_batch:
                carry_on(asked.name, supervision)
            else:
                start(asked.name, supervision)
        except FanfoldError as error:
            logger.error(f"refused: {error}", message_id=record.message_id)
            raise

    processor: Any = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    with processor(event["Records"], begin, context):
        processor.process()
    return processor.response()
