"""docs/webhooks.md: its receiver receives, its commands are taken, and its numbers are the code's."""

import json
import os
import re
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as deployment

from jobs.delivery.retries import DELAYS_SECONDS
from jobs.delivery.signing import new_secret
from jobs.models import Delivery
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import api, make_dead_letter, make_webhook
from tests.jobs.delivery.rounds import deliver, make_due
from tests.process import Process

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
(RECEIVER,) = [text for kind, text in BLOCKS if kind == "python"]
(BODY,) = [json.loads(text) for kind, text in BLOCKS if kind == "json"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_the_receiver_takes_what_is_signed_once_and_refuses_the_rest(
    world: World, tmp_path: Path, settings: Any
) -> None:
    port, secret = free_port(), new_secret()
    (tmp_path / "receiver.py").write_text(RECEIVER)
    settings.HTTP_ALLOW_HOSTS = [f"127.0.0.1:{port}"]
    environ = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    process = Process([sys.executable, str(tmp_path / "receiver.py")], tmp_path / "log", environ)
    good = make_webhook(world.org, f"http://127.0.0.1:{port}/", secret=secret)
    forged = make_webhook(world.org, f"http://127.0.0.1:{port}/")
    job = make_dead_letter(world.org)
    try:
        eventually(lambda: listens(port), within_seconds=30)
        deliver()
        # the answer was lost, say
        Delivery.objects.filter(subscriber=good).update(status="pending", next_at="2026-01-01T00:00:00Z", ended_at=None)
        Delivery.objects.filter(subscriber=forged).delete()
        make_due()
        deliver()
    finally:
        process.close()

    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.response_status, delivery.attempt) == ("delivered", 204, 2)
    assert process.text.count("job.failed") == 1
    assert str(job.pk) in process.text
    assert process.text.count('" 204') == 2
    assert process.text.count('" 401') == 1


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_the_body_that_is_shown_has_the_fields_that_are_sent(world: World) -> None:
    make_webhook(world.org)
    make_dead_letter(world.org)

    assert set(Delivery.objects.get().data["job"]) == set(BODY["data"]["job"])
    assert set(BODY) == {"type", "timestamp", "data"}


@pytest.mark.parametrize("curl", [text for kind, text in BLOCKS if kind == "sh"])
def test_each_command_is_taken(world: World, curl: str) -> None:
    words = shlex.split(curl.replace("\\\n", ""))
    path = words[2].removeprefix("$URL")

    response = api(world.owner).post(path, words[words.index("-d") + 1], content_type="application/json")

    assert response.status_code == 201, response.content


def test_the_numbers_are_those_of_the_settings() -> None:
    shown = {name: float(value) for name, value in re.findall(r"`SMARTQUEUE_(\w+)` \((\d+)\)", TEXT)}
    assert len(shown) == 7
    assert shown == {name: float(getattr(deployment, name)) for name in shown}
    words = re.search(r"tried again after (.*?), each", TEXT)
    assert words is not None
    units = {"s": 1, "min": 60, "h": 3600}
    seconds = [int(number) * units[unit] for number, unit in re.findall(r"(\d+) (s|min|h)\b", words[1])]
    assert tuple(seconds) == DELAYS_SECONDS
