"""An SQS queue as a source of jobs."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import orjson
from django.conf import settings

from jobs.api.faults import Fault
from jobs.intake.sources import Message
from jobs.stream.sinks import NotInstalled
from jobs.stream.sqs import BATCH, FIFO, client, troubles

log = logging.getLogger(__name__)

# How long SQS waits for something to come, and how long it keeps what we have in hand from others.
WAIT_SECONDS = 1
HAND_SECONDS = 60
# Of a dead letter: an attribute of SQS has no more than its body may have.
WHY_CHARACTERS = 4_000


class SqsSource:
    name = "sqs"

    def __init__(self) -> None:
        missing = [
            f"SMARTQUEUE_{name}"
            for name in ("SOURCE_SQS_QUEUE_URL", "SOURCE_SQS_DEAD_QUEUE_URL", "SOURCE_SQS_KEY")
            if not getattr(settings, name)
        ]
        if missing:
            raise NotInstalled(f"SQS as a source of jobs needs {', '.join(missing)}")
        self.url, self.dead_url = settings.SOURCE_SQS_QUEUE_URL, settings.SOURCE_SQS_DEAD_QUEUE_URL
        self.client = client(self.url, settings.SOURCE_SQS_REGION)
        self.dead = client(self.dead_url, settings.SOURCE_SQS_REGION)
        self._hidden_at = 0.0

    @property
    def token(self) -> str:
        return settings.SOURCE_SQS_KEY

    def take(self) -> list[Message]:
        asked_at = time.monotonic()
        try:
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=WAIT_SECONDS,
                VisibilityTimeout=HAND_SECONDS,
            )
        except troubles() as error:
            log.warning("SQS gave no messages", extra={"why": str(error)})
            return []
        self._hidden_at = asked_at
        return [Message(f"sqs:{one['MessageId']}", one["Body"].encode(), one) for one in answer.get("Messages", [])]

    def keep(self, messages: Sequence[Message]) -> None:
        """Keep them from others for longer. What that does not reach comes again, and is known by its key."""
        if time.monotonic() - self._hidden_at < HAND_SECONDS / 3:
            return
        self._hidden_at = time.monotonic()
        entries = [{**one, "VisibilityTimeout": HAND_SECONDS} for one in receipts(messages)]
        try:
            self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
        except troubles() as error:
            log.warning("SQS was not told that messages are in hand", extra={"why": str(error)})

    def refuse(self, message: Message, why: Sequence[Fault]) -> None:
        """Raises what boto3 does; then it may be there all the same."""
        reasons = orjson.dumps(list(why)).decode()[:WHY_CHARACTERS]
        said = {"source-message-id": message.id, "why": reasons}
        ordered = {"MessageGroupId": "refused", "MessageDeduplicationId": message.id.replace(":", "-")}
        self.dead.send_message(
            QueueUrl=self.dead_url,
            MessageBody=message.handle["Body"],
            MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in said.items()},
            **(ordered if self.dead_url.endswith(FIFO) else {}),
        )

    def done(self, messages: Sequence[Message]) -> None:
        try:
            answer = self.client.delete_message_batch(QueueUrl=self.url, Entries=receipts(messages))
        except troubles() as error:
            log.warning("SQS was not told what is done: it says again what it said", extra={"why": str(error)})
            return
        for failed in answer.get("Failed", []):
            log.warning("SQS keeps a message that is done", extra={"why": failed.get("Message", "")})

    def close(self) -> None:
        self.client.close()
        self.dead.close()


def receipts(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {"Id": str(index), "ReceiptHandle": message.handle["ReceiptHandle"]} for index, message in enumerate(messages)
    ]
