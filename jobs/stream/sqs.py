"""Amazon SQS, and what speaks like it, as a receiver of the stream."""

import logging
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from jobs.stream.events import Event
from jobs.stream.patience import Patience
from jobs.stream.sinks import Keep, NotInstalled

log = logging.getLogger(__name__)

# What SQS takes in one call.
BATCH = 10
CONNECT_SECONDS, READ_SECONDS = 3, 10
# The region in AWS's own addresses; elsewhere it only takes part in signatures.
REGION = re.compile(r"sqs[.-](?:fips[.-])?([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
SOME_REGION = "us-east-1"
FIFO = ".fifo"


def client(queue_url: str, region: str) -> Any:
    """For the queue at this address; who we are is boto3's to find (AWS_ACCESS_KEY_ID and so on, or a role).

    Raises NotInstalled.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise NotInstalled("SQS needs boto3: pip install -r requirements-s3.txt") from error
    parts = urlsplit(queue_url)
    found = REGION.fullmatch(parts.hostname or "")
    # no tries of its own: it is we who wait, and keep our hold meanwhile
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 1})
    return boto3.client(
        "sqs",
        endpoint_url=f"{parts.scheme}://{parts.netloc}",
        region_name=region or (found[1] if found else SOME_REGION),
        config=config,
    )


def troubles() -> tuple[type[Exception], ...]:
    """What its calls raise, be it the network's doing or SQS's."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError


class SqsSink:
    name = "sqs"

    def __init__(self) -> None:
        self.url = settings.STREAM_SQS_QUEUE_URL
        if not self.url:
            raise NotInstalled("SMARTQUEUE_STREAM_SQS_QUEUE_URL must name the queue: https://…")
        self.client = client(self.url, settings.STREAM_SQS_REGION)
        self.ordered = self.url.endswith(FIFO)
        if not self.ordered:
            log.warning("this SQS queue is none of the kind .fifo: the order of events is not kept")
        self.patience = Patience()

    def send(self, events: Sequence[Event], keep: Keep) -> None:
        left = list(events)
        while left:
            keep()
            batch = next_batch(left)
            taken = self.taken(batch)
            left = [event for event in left if event.id not in taken]
            if len(taken) == len(batch):
                self.patience.over()
            else:
                self.patience.wait(keep)

    def taken(self, batch: Sequence[Event]) -> set[str]:
        """The ids of those that SQS acknowledged; the others may have been stored all the same."""
        try:
            answer = self.client.send_message_batch(
                QueueUrl=self.url, Entries=[self.entry(index, event) for index, event in enumerate(batch)]
            )
        except troubles() as error:
            log.warning("SQS took no events, trying again", extra={"why": str(error)})
            return set()
        for failed in answer.get("Failed", []):
            event = batch[int(failed["Id"])]
            why = f"{failed.get('Code')}: {failed.get('Message', '')}"
            said = {"event_id": event.id, "job": event.job_id, "why": why}
            log.warning("SQS did not take an event, trying again", extra=said)
        return {batch[int(one["Id"])].id for one in answer.get("Successful", [])}

    def entry(self, index: int, event: Event) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "Id": str(index),
            "MessageBody": event.body.decode(),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in event.about.items() if value
            },
        }
        if self.ordered:
            # what comes again within five minutes SQS drops by itself
            entry |= {"MessageGroupId": event.job_id, "MessageDeduplicationId": event.id}
        return entry

    def close(self) -> None:
        self.client.close()


def next_batch(left: Sequence[Event]) -> list[Event]:
    """The first of each job: where one is not taken, none of its job has overtaken it."""
    firsts: dict[str, Event] = {}
    for event in left:
        firsts.setdefault(event.job_id, event)
        if len(firsts) == BATCH:
            break
    return list(firsts.values())
