"""What reaches functions by itself: messages of queues, records of streams, events of rules.

Repaired in moto 5.2.5: a message or record was delivered inside the write that made it, to the
version that the alias meant once, again until an answer was truthy, and without heed of
`batchItemFailures`; events reached neither functions nor, when an execution ended, anybody.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaBackend
from moto.dynamodb.models.table import Table
from moto.events.models import Rule
from moto.sqs.models import Queue
from moto.stepfunctions.parser.backend.execution import Execution

if TYPE_CHECKING:
    from tests.kit.loopback.clients import ClientOf

LOOK_S = 0.05
ASYNC_TRIES = 3
Record = dict[str, Any]


class Deliveries:
    """Pollers and senders that use nothing but the services' own APIs."""

    def __init__(self, client: ClientOf) -> None:
        self._client, self._closed = client, threading.Event()
        self._senders = ThreadPoolExecutor(8, thread_name_prefix="events")

    def repair(self) -> None:
        """Once a process."""
        self._repair_mappings()
        self._repair_rules()
        self._repair_executions()

    def close(self) -> None:
        self._closed.set()
        self._senders.shutdown(wait=False, cancel_futures=True)

    def _repair_mappings(self) -> None:
        patched: Any = LambdaBackend
        create: Any = patched.create_event_source_mapping
        queue, table = cast("Any", Queue), cast("Any", Table)
        queue.lambda_event_source_mappings = table.lambda_event_source_mappings = _Nothing()

        def create_event_source_mapping(backend: Any, spec: Record) -> Any:
            mapping = create(backend, spec)
            poll = self._poll_queue if ":sqs:" in spec["EventSourceArn"] else self._poll_stream
            threading.Thread(target=poll, args=(backend, mapping, spec), daemon=True).start()
            return mapping

        patched.create_event_source_mapping = create_event_source_mapping

    def _lives(self, backend: Any, mapping: Any) -> bool:
        return not self._closed.is_set() and mapping.uuid in backend._event_source_mappings

    def _poll_queue(self, backend: Any, mapping: Any, spec: Record) -> None:
        queues, arn = self._client("sqs"), spec["EventSourceArn"]
        url = queues.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        while self._lives(backend, mapping):
            found = self._received(url, int(spec.get("BatchSize", 10)))
            if not found:
                time.sleep(LOOK_S)
                continue
            records = [_queue_record(message, arn) for message in found]
            failed = self._failed(spec, records, "messageId")
            for message in found:
                if message["MessageId"] not in failed:
                    queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _received(self, url: str, most: int) -> list[Record]:
        try:
            answer = self._client("sqs").receive_message(
                QueueUrl=url, MaxNumberOfMessages=most, AttributeNames=["All"]
            )
        except ClientError:  # the queue is gone with its stack
            return []
        return answer.get("Messages", [])

    def _poll_stream(self, backend: Any, mapping: Any, spec: Record) -> None:
        """In order; a batch comes again from its first failure, as often as the mapping says."""
        taken = tries = 0
        while self._lives(backend, mapping):
            records = self._stream_records(spec["EventSourceArn"], taken)[: int(spec["BatchSize"])]
            if not records:
                time.sleep(LOOK_S)
                continue
            failed = self._failed(spec, records, "SequenceNumber")
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
            first = next((i for i, number in enumerate(numbers) if number in failed), len(records))
            tries = 0 if first else tries + 1
            taken += first
            if tries > int(spec.get("MaximumRetryAttempts", 10)):
                raise AssertionError(f"records of {spec['EventSourceArn']} were given up")

    def _stream_records(self, arn: str, taken: int) -> list[Record]:
        streams = self._client("dynamodbstreams")
        try:
            shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]
            iterator = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            found = streams.get_records(ShardIterator=iterator)["Records"][taken:]
        except (ClientError, LookupError):  # the table is gone with its stack
            return []
        return [json.loads(json.dumps(record, default=_epoch)) for record in found]

    def _failed(self, spec: Record, records: list[Record], name: str) -> set[str]:
        """The identifiers of what has to come again; all of them after an error."""
        try:
            answer = self._invoke(spec["FunctionName"], {"Records": records})
        except FunctionFailed:
            return {_identifier(record, name) for record in records}
        failures: list[Record] = answer["batchItemFailures"] if answer else []
        return {failure["itemIdentifier"] for failure in failures}

    def _invoke(self, function: str, event: Any) -> Any:
        answer = self._client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read() or "null")
        if "FunctionError" in answer:
            raise FunctionFailed(f"{function}: {payload}")
        return payload

    def _repair_rules(self) -> None:
        patched: Any = Rule
        send: Any = patched.send_to_targets

        def send_to_targets(
            rule: Any, original_event: Record, transform_input: bool = True
        ) -> None:
            if not rule.event_pattern.matches_event(original_event):
                return
            functions = [t for t in rule.targets if ":lambda:" in t["Arn"]]
            for target in functions:
                self._senders.submit(self._send, target["Arn"], _wire(original_event))
            rest = copy(rule)
            rest.targets = [t for t in rule.targets if t not in functions]
            send(rest, original_event, transform_input)

        patched.send_to_targets = send_to_targets

    def _send(self, function: str, event: Record) -> None:
        for tried in range(ASYNC_TRIES):
            try:
                self._invoke(function, event)
            except FunctionFailed:
                time.sleep(LOOK_S * 2**tried)
            else:
                return

    def _repair_executions(self) -> None:
        patched: Any = Execution
        start: Any = patched.start

        def announced(execution: Any) -> None:
            start(execution)
            self._senders.submit(self._announce, execution, "RUNNING")
            threading.Thread(target=self._await_end, args=(execution,), daemon=True).start()

        patched.start = announced

    def _await_end(self, execution: Any) -> None:
        while execution.status == "RUNNING" and not self._closed.is_set():
            time.sleep(LOOK_S)
        self._announce(execution, execution.status)

    def _announce(self, execution: Any, status: str) -> None:
        detail = {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": status,
            "startDate": round(execution.start_date.timestamp() * 1000),
        }
        entry = {
            "Source": "aws.states",
            "DetailType": "Step Functions Execution Status Change",
            "Detail": json.dumps(detail),
            "Resources": [execution.exec_arn],
        }
        self._client("events").put_events(Entries=[entry])


class _Nothing:
    """An attribute that stays empty, whatever is put there."""

    def __get__(self, *_: object) -> dict[str, Any]:
        return {}

    def __set__(self, *_: object) -> None:
        return


class FunctionFailed(Exception):
    """A handler has raised, or its process has ended."""


def _queue_record(message: Record, arn: str) -> Record:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


def _identifier(record: Record, name: str) -> str:
    return record[name] if name in record else record["dynamodb"][name]


def _epoch(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(value)


def _wire(event: Record) -> Record:
    """The event as a target gets it."""
    sent = {k: v for k, v in event.items() if k not in {"ingestion-time", "event-bus-name"}}
    sent["time"] = datetime.fromtimestamp(event["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return sent
