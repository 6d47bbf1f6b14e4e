"""Brokers for tests and measures, on loopback: librdkafka's own mock cluster, and moto's SQS over HTTP.

Both keep what they were told while they are away.
"""

import ctypes
import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka

PRODUCER = 0
PARTITIONS = 4
# API keys of Kafka's protocol.
PRODUCE = 0
# Any will do here.
AWS_ACCOUNT = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
REGION = "us-east-1"


class Told(NamedTuple):
    """A message as a receiver has it."""

    key: str
    headers: dict[str, str]
    body: Any


def librdkafka() -> ctypes.CDLL:
    """The library that came with confluent-kafka, which offers Python no way to its mock cluster."""
    folder = Path(confluent_kafka.__file__).parent
    (path,) = [*folder.parent.glob("confluent_kafka.libs/librdkafka*"), *folder.glob(".dylibs/librdkafka*")]
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class KafkaMock:
    """One broker, which can go away and come back."""

    def __init__(self) -> None:
        self.library = librdkafka()
        error = ctypes.create_string_buffer(512)
        self.handle = ctypes.c_void_p(
            self.library.rd_kafka_new(PRODUCER, ctypes.c_void_p(self.library.rd_kafka_conf_new()), error, 512)
        )
        if not self.handle:
            raise RuntimeError(error.value.decode())
        self.cluster = ctypes.c_void_p(self.library.rd_kafka_mock_cluster_new(self.handle, 1))
        self.bootstrap = self.library.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()

    def make_topic(self, topic: str) -> None:
        self.library.rd_kafka_mock_topic_create(self.cluster, topic.encode(), PARTITIONS, 1)

    def away(self) -> None:
        """Connections end, and new ones are refused."""
        self.library.rd_kafka_mock_broker_set_down(self.cluster, 1)

    def back(self) -> None:
        self.library.rd_kafka_mock_broker_set_up(self.cluster, 1)

    def fail_produce(self, codes: Sequence[int]) -> None:
        """The next so many produce requests are answered with these errors."""
        array = (ctypes.c_int * len(codes))(*codes)
        self.library.rd_kafka_mock_push_request_errors_array(
            self.cluster, ctypes.c_int16(PRODUCE), ctypes.c_size_t(len(codes)), array
        )

    def close(self) -> None:
        self.library.rd_kafka_mock_cluster_destroy(self.cluster)
        self.library.rd_kafka_destroy(self.handle)


class KafkaReader:
    """Reads a topic from its beginning, in order for each partition."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False,
             "auto.offset.reset": "earliest", "log_level": 0}
        )  # fmt: skip
        places = [confluent_kafka.TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
        self.consumer.assign(places)

    def more(self) -> list[Told]:
        return [told(one) for one in self.consumer.consume(1_000, 0.2) if one.error() is None]

    def close(self) -> None:
        self.consumer.close()


def told(message: Any) -> Told:
    headers = {name: value.decode() for name, value in message.headers() or []}
    return Told((message.key() or b"").decode(), headers, as_json(message.value()))


class SqsMock:
    """moto's server in a thread of this process. Its queues live on while it does not listen."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        os.environ.update(AWS_ACCOUNT)
        self.new = ThreadedMotoServer
        self.port = 0
        self.server: Any = None
        self.back()
        self.client = self.new_client()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def new_client(self) -> Any:
        import boto3

        return boto3.client("sqs", endpoint_url=self.address, region_name=REGION)

    def make_queue(self, name: str, **attributes: str) -> str:
        """Its address."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return str(self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def away(self) -> None:
        self.server.stop()

    def back(self) -> None:
        self.server = self.new(ip_address="127.0.0.1", port=self.port, verbose=False)
        self.server.start()
        _, self.port = self.server.get_host_and_port()

    def close(self) -> None:
        self.client.close()
        self.away()


class SqsReader:
    """Takes everything out of a queue."""

    def __init__(self, broker: SqsMock, queue_url: str) -> None:
        self.client, self.url = broker.new_client(), queue_url

    def more(self) -> list[Told]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
                # what could not be deleted comes again soon
                VisibilityTimeout=3,
            )
            found = answer.get("Messages", [])
            if found:
                entries = [{"Id": str(place), "ReceiptHandle": one["ReceiptHandle"]} for place, one in enumerate(found)]
                self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)
        except (BotoCoreError, ClientError):
            return []
        return [
            Told(
                one.get("Attributes", {}).get("MessageGroupId", ""),
                {name: value["StringValue"] for name, value in one.get("MessageAttributes", {}).items()},
                as_json(one["Body"]),
            )
            for one in found
        ]

    def close(self) -> None:
        self.client.close()


def as_json(body: bytes | str | None) -> Any:
    """What it says; what is no JSON as text."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or "null"
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextmanager
def gathering(reader: KafkaReader | SqsReader) -> Iterator[list[Told]]:
    """What comes while the block lasts, in a thread."""
    found: list[Told] = []
    ended = threading.Event()

    def gather() -> None:
        while not ended.is_set():
            found.extend(reader.more())

    thread = threading.Thread(target=gather, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join(30)
        reader.close()
