"""Brokers from the environment, wrong values named: where Kafka's are, how they are reached, and SQS queues."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from smartqueue.env import env_json, env_list, env_str

HOST_PORT = re.compile(r"[A-Za-z0-9._-]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}")
TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
# What makes the promise is not the operator's to change.
OURS = ("acks", "enable.", "message.timeout.ms", "bootstrap.servers", "group.", "auto.", "client.id", "reconnect.")


def kafka_bootstrap(name: str) -> str:
    """host:port,host:port; empty where there is none."""
    words = env_list(name)
    if not all(HOST_PORT.fullmatch(word) for word in words):
        raise ImproperlyConfigured(f"{name}={','.join(words)!r}: expected host:port,host:port")
    return ",".join(words)


def kafka_topic(name: str, default: str) -> str:
    topic = env_str(name, default)
    if topic and not TOPIC.fullmatch(topic):
        raise ImproperlyConfigured(f"{name}={topic!r}: a topic is of letters, digits, dots, dashes and underscores")
    return topic


def kafka_connection(name: str) -> dict[str, Any]:
    """Options of librdkafka as JSON, such as {"security.protocol": "SASL_SSL", …}; no value is ever shown."""
    options = env_json(name)
    for option, value in options.items():
        if option.startswith(OURS):
            raise ImproperlyConfigured(f"{name}: {option} is set by SmartQueue")
        if not isinstance(value, str | int | float | bool):
            raise ImproperlyConfigured(f"{name}: {option} is a text, a number, true or false")
    return options


def sqs_queue(name: str) -> str:
    """The address of a queue; empty where there is none."""
    url = env_str(name, "").strip()
    parts = urlsplit(url)
    if url and not (parts.scheme in {"http", "https"} and parts.netloc and parts.path.strip("/")):
        raise ImproperlyConfigured(f"{name}={url!r}: expected the address of a queue, https://…")
    return url


def env_events(name: str, known: list[str]) -> list[str]:
    """Some of these words; all of them where none is named."""
    words = env_list(name)
    if unknown := [word for word in words if word not in known]:
        raise ImproperlyConfigured(f"{name}: {', '.join(unknown)} is none of {', '.join(known)}")
    return words or known
