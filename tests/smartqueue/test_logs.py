"""Structured logs and the correlation id."""

import json
import logging
import subprocess
import sys

import pytest
from django.test import Client


@pytest.mark.parametrize("sent", ["abc-123", "4bf92f3577b34da6a3ce929d0e0e4736", "a" * 128])
def test_a_good_correlation_id_is_taken_and_returned(client: Client, sent: str) -> None:
    assert client.get("/healthz", HTTP_X_CORRELATION_ID=sent)["X-Correlation-ID"] == sent


@pytest.mark.parametrize("sent", ["", "two words", "a" * 129, "x\x1b[31m", '"level":"INFO"'])
def test_a_bad_one_is_replaced(client: Client, sent: str) -> None:
    given = client.get("/healthz", HTTP_X_CORRELATION_ID=sent)["X-Correlation-ID"]

    assert given != sent
    assert len(given) == 32


def test_one_event_is_one_line_of_json_whatever_it_says() -> None:
    script = (
        "from smartqueue.logs import configure; import logging;"
        "configure({'format': 'json', 'level': 'INFO'});"
        r"logging.getLogger('x').warning('a\n{\"level\":\"INFO\"}\x1b[31m\u2028', extra={'job': '1'})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    (line,) = done.stderr.splitlines()
    event = json.loads(line)
    assert (event["level"], event["job"]) == ("warning", "1")
    assert event["event"].startswith("a\n{")


def test_a_traceback_is_in_the_one_line_of_its_event() -> None:
    script = """
import logging, structlog
from smartqueue.logs import configure
configure({"format": "json", "level": "INFO"})
for log in (structlog.get_logger("ours"), logging.getLogger("others")):
    try:
        raise ValueError("first\\nsecond")
    except ValueError:
        log.exception("broken")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    ours, others = map(json.loads, done.stderr.splitlines())
    for event in (ours, others):
        assert event["event"] == "broken"
        assert event["exception"].startswith("Traceback (most recent call last):\n")
        assert event["exception"].endswith("ValueError: first\nsecond")


def test_the_root_logger_has_one_handler() -> None:
    ours = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler]
    assert len(ours) == 1


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", True),
        (f"00-{TRACE}-00f067aa0ba902b7-00", True),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", False),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", False),
        (f"00-{TRACE}-00f067aa0ba902b7-01-more", False),
        (TRACE, False),
    ],
)
def test_the_trace_of_the_caller_is_the_correlation_id(client: Client, sent: str, taken: bool) -> None:
    given = client.get("/healthz", HTTP_TRACEPARENT=sent)["X-Correlation-ID"]

    assert (given == TRACE) is taken
    assert client.get("/healthz", HTTP_TRACEPARENT=sent, HTTP_X_CORRELATION_ID="mine")["X-Correlation-ID"] == "mine"
