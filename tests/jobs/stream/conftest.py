"""Brokers of these tests."""

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from bench.brokers import KafkaMock, SqsMock


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaMock]:
    broker = KafkaMock()
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def sqs_broker() -> Iterator[SqsMock]:
    broker = SqsMock()
    yield broker
    broker.close()


@pytest.fixture
def quick(settings: Settings) -> None:
    settings.STREAM_POLL_SECONDS = 0.02
