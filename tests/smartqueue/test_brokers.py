"""Brokers from the environment: what is wrong is named, and a password never."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from jobs.stream.words import EVENTS
from smartqueue.brokers import env_events, kafka_bootstrap, kafka_connection, kafka_topic, sqs_queue

NAME = "SMARTQUEUE_X"


@pytest.mark.parametrize("text", ["", "broker-1:9092", "broker-1:9092, 10.0.0.7:9093,[fd00::7]:9092"])
def test_brokers_are_hosts_with_ports(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(NAME, text)
    assert kafka_bootstrap(NAME) == text.replace(" ", "")


@pytest.mark.parametrize("text", ["broker-1", "http://broker-1:9092", "broker-1:port", "a:1;b:2"])
def test_a_wrong_broker_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        kafka_bootstrap(NAME)


@pytest.mark.parametrize("text", ["..", "job events", "a/b", "x" * 250])
def test_a_wrong_topic_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert kafka_topic(NAME, "smartqueue.jobs") == "smartqueue.jobs"
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        kafka_topic(NAME, "")


def test_how_kafka_is_reached_is_librdkafkas_options(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kafka_connection(NAME) == {}
    monkeypatch.setenv(NAME, '{"security.protocol": "SASL_SSL", "sasl.password": "hunter2"}')
    assert kafka_connection(NAME) == {"security.protocol": "SASL_SSL", "sasl.password": "hunter2"}


@pytest.mark.parametrize(
    "text",
    [
        *('["hunter2"]', '{"sasl.password": hunter2}', '{"sasl.password": ["hunter2"]}'),
        *('{"acks": "0", "sasl.password": "hunter2"}', '{"enable.idempotence": false, "sasl.password": "hunter2"}'),
    ],
)
def test_what_is_wrong_with_it_is_said_without_its_values(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured) as raised:
        kafka_connection(NAME)
    assert NAME in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("text", ["jobs.fifo", "https://sqs.eu-central-1.amazonaws.com", "ftp://host/queue"])
def test_a_queue_is_an_address(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert sqs_queue(NAME) == ""
    monkeypatch.setenv(NAME, "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs.fifo")
    assert sqs_queue(NAME).endswith("/jobs.fifo")
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        sqs_queue(NAME)


def test_types_of_events_are_some_of_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env_events(NAME, EVENTS) == EVENTS
    monkeypatch.setenv(NAME, "job.done, job.failed")
    assert env_events(NAME, EVENTS) == ["job.done", "job.failed"]
    monkeypatch.setenv(NAME, "job.succeeded")
    with pytest.raises(ImproperlyConfigured, match=r"job\.succeeded is none of job\.scheduled"):
        env_events(NAME, EVENTS)
