"""Messages as jobs: checked, entitled and counted as a submit with their source's key, each once, and none lost."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.api.faults import Fault
from jobs.intake.sources import Message
from jobs.management.commands import runsource
from jobs.models import Job, Queue, Transition
from jobs.processes.intake import Intake
from jobs.stream import patience as patience_module
from orgs.models import ApiKey, AuditEntry, Membership, Org
from orgs.roles import KeyRole, Role
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_key, with_key

pytestmark = pytest.mark.django_db

JOB: dict[str, Any] = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


class Listed:
    """A source without a broker."""

    name = "listed"

    def __init__(self, token: str, *bodies: Any) -> None:
        self.token = token
        self.waiting = [
            Message(f"listed:{place}", body if isinstance(body, bytes) else json.dumps(body).encode(), place)
            for place, body in enumerate(bodies)
        ]
        self.refused: list[tuple[str, list[Fault]]] = []
        self.acknowledged: list[str] = []
        self.kept = 0

    def take(self) -> list[Message]:
        taken, self.waiting = self.waiting, []
        return taken

    def keep(self, messages: Sequence[Message]) -> None:
        self.kept += 1

    def refuse(self, message: Message, why: Sequence[Fault]) -> None:
        self.refused.append((message.id, list(why)))

    def done(self, messages: Sequence[Message]) -> None:
        self.acknowledged += [message.id for message in messages]

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits does so for no time; by the time that it is asked again something may have changed."""
    monkeypatch.setattr("jobs.processes.intake.Intake.wait", lambda self, why, least: self.keep())


@pytest.fixture
def token(world: World) -> str:
    return make_key(world.owner, world.org, KeyRole.OPERATOR)


made: list[Intake] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while made:
        made.pop().close_sockets()


def taken_in(source: Listed) -> Intake:
    intake = Intake(source)
    made.append(intake)
    while intake.step():
        pass
    return intake


def test_a_message_is_a_job_of_its_sources_key(world: World, token: str) -> None:
    source = Listed(token, {"key": "order-1", "job": {**JOB, "title": "the sum", "tags": ["eu"]}})
    taken_in(source)

    job = Job.objects.get()
    assert (job.org, job.created_by, job.idempotency_key) == (world.org, world.owner, "order-1")
    assert (job.title, job.tags, job.payload) == ("the sum", ["eu"], JOB["payload"])
    assert source.acknowledged == ["listed:0"]
    assert source.refused == []


def test_its_history_and_the_trail_say_what_those_of_a_submit_with_the_key_do(world: World, token: str) -> None:
    taken_in(Listed(token, {"job": JOB}))
    came = Job.objects.get()
    assert with_key(token).post("/api/v1/jobs/", JOB).status_code == 201
    sent = Job.objects.exclude(pk=came.pk).get()

    def said(job: Job) -> list[tuple[Any, ...]]:
        moves = Transition.objects.filter(job_id=job.pk).values_list("to_status", "actor", "reason")
        acts = AuditEntry.objects.filter(target=str(job.pk)).values_list("action", "actor", "key_prefix")
        return [*moves, *acts]

    assert said(came) == said(sent)
    assert said(came)[0][1] == f"key:{ApiKey.objects.get().prefix}"


def test_what_comes_again_is_known_by_its_key_or_else_by_its_id(world: World, token: str) -> None:
    bodies = [{"key": "order-1", "job": JOB}, {"job": JOB}]
    taken_in(Listed(token, *bodies))
    again = Listed(token, *bodies)
    taken_in(again)

    assert sorted(map(str, Job.objects.values_list("idempotency_key", flat=True))) == ["listed:1", "order-1"]
    assert again.acknowledged == ["listed:0", "listed:1"]
    assert again.refused == []


WRONG: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", ""),
    "not UTF-8": (b"\xff", ""),
    "nothing": (b"", ""),
    "a list": ([], ""),
    "no job": ({"key": "k"}, "/job"),
    "an organisation of its choice": ({"org": "rival", "job": JOB}, "/org"),
    "a field that no job has": ({"job": {**JOB, "colour": "red"}}, "/job/colour"),
    "no such type": ({"job": {"type": "nonsense", "payload": {}}}, "/type"),
    "a payload that does not fit": ({"job": {"type": "python", "payload": {"task": 5}}}, "/payload/task"),
    "more tries than a role may ask for": ({"job": {**JOB, "max_attempts": 25}}, "/max_attempts"),
}


@pytest.mark.parametrize(("body", "pointer"), WRONG.values(), ids=WRONG.keys())
def test_what_can_be_no_job_is_a_dead_letter_and_holds_up_nothing(
    world: World, token: str, body: Any, pointer: str
) -> None:
    source = Listed(token, body, {"job": JOB})
    taken_in(source)

    ((refused, why),) = source.refused
    assert refused == "listed:0"
    assert any(one["pointer"].startswith(pointer) for one in why), why
    assert source.acknowledged == ["listed:0", "listed:1"]
    assert Job.objects.get().idempotency_key == "listed:1"
    entry = AuditEntry.objects.get(action="message.refuse")
    assert (entry.org, entry.actor, entry.target) == (world.org, world.owner, "listed:0")
    assert entry.key_prefix == ApiKey.objects.get().prefix
    assert entry.detail["source"] == "listed"
    assert set(entry.detail["why"][0]) == {"pointer", "code"}


def test_a_key_that_brought_another_job_is_a_dead_letter(world: World, token: str) -> None:
    source = Listed(token, {"key": "k", "job": JOB}, {"key": "k", "job": {**JOB, "title": "another"}})
    taken_in(source)

    assert [why[0]["code"] for _, why in source.refused] == ["idempotency_key_reused"]
    assert Job.objects.get().title == ""


def test_a_closed_queue_takes_none(world: World, token: str) -> None:
    taken_in(Listed(token, {"job": {**JOB, "queue": "old"}}))
    Queue.objects.filter(org=world.org, name="old").update(closed_at=Now())
    source = Listed(token, {"key": "new", "job": {**JOB, "queue": "old"}})
    taken_in(source)

    assert [why[0]["code"] for _, why in source.refused] == ["queue_closed"]


def test_over_its_quota_it_waits_until_there_is_room(world: World, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Org.objects.filter(pk=world.org.pk).update(max_waiting_jobs=1)
    source = Listed(token, {"job": JOB}, {"job": JOB})
    asked: list[str] = []

    def wait(self: Intake, why: str, least: float) -> None:
        asked.append(why)
        if len(asked) == 3:
            # a worker comes
            finish_one(claim_all()[0])

    monkeypatch.setattr("jobs.processes.intake.Intake.wait", wait)
    taken_in(source)

    assert len(asked) == 3
    assert "waiting jobs" in asked[0]
    assert Job.objects.count() == 2
    assert source.acknowledged == ["listed:0", "listed:1"]
    assert source.refused == []


def test_too_often_it_waits_for_as_long_as_it_is_told(
    world: World, token: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ORG_JOB_RATE = (1, 3600.0, 1)
    waits: list[float] = []

    def wait(self: Intake, why: str, least: float) -> None:
        waits.append(least)
        settings.ORG_JOB_RATE = None

    monkeypatch.setattr("jobs.processes.intake.Intake.wait", wait)
    source = Listed(token, {"job": JOB}, {"job": JOB})
    taken_in(source)

    assert len(waits) == 1
    assert waits[0] > 3000
    assert Job.objects.count() == 2


def end_key(world: World) -> None:
    ApiKey.objects.update(revoked_at=Now())


def lower_role(world: World) -> None:
    Membership.objects.filter(user=world.owner).update(role=Role.VIEWER)


def suspend(world: World) -> None:
    Org.objects.filter(pk=world.org.pk).update(suspended_at=Now())


@pytest.mark.parametrize("end", [end_key, lower_role, suspend])
def test_while_its_key_may_not_submit_messages_wait(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch, end: Any
) -> None:
    source = Listed(token, {"job": JOB})
    end(world)
    asked: list[str] = []

    def wait(self: Intake, why: str, least: float) -> None:
        asked.append(why)
        if len(asked) == 2:
            self.stopping = True
        self.keep()

    monkeypatch.setattr("jobs.processes.intake.Intake.wait", wait)
    intake = Intake(source)
    made.append(intake)
    intake.step()

    assert len(asked) == 2
    assert not Job.objects.exists()
    assert (source.acknowledged, source.refused) == ([], [])
    assert len(intake.hand) == 1
    assert source.kept > 0


def test_what_was_stored_is_acknowledged_also_when_the_next_fails(world: World, token: str) -> None:
    """A dead letter that cannot be put away now: tried again, in its place."""

    class Stubborn(Listed):
        tries = 0

        def refuse(self, message: Message, why: Sequence[Fault]) -> None:
            self.tries += 1
            if self.tries == 1:
                raise ConnectionResetError
            super().refuse(message, why)

    source = Stubborn(token, {"job": JOB}, b"{", {"job": JOB})
    intake = Intake(source)
    made.append(intake)
    with pytest.raises(ConnectionResetError):
        intake.step()
    assert source.acknowledged == []
    intake.step()

    assert source.acknowledged == ["listed:0", "listed:1", "listed:2"]
    assert len(source.refused) == 1
    assert Job.objects.count() == 2


def test_a_wrong_key_is_said_at_the_start(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # it ends the session, which the test's transaction is of
    monkeypatch.setattr(runsource, "refuse_undurable", lambda: None)
    for token in ("nonsense", make_key(world.owner, world.org, KeyRole.WORKER)):
        monkeypatch.setattr(runsource, "source_named", lambda name, token=token: Listed(token))
        with pytest.raises(CommandError, match="SMARTQUEUE_SOURCE_LISTED_KEY"):
            call_command("runsource", "sqs")


def test_it_says_which_settings_are_missing(db: None) -> None:
    for name, missing in (("kafka", "SMARTQUEUE_SOURCE_KAFKA_TOPIC"), ("sqs", "SMARTQUEUE_SOURCE_SQS_DEAD_QUEUE_URL")):
        with pytest.raises(CommandError, match=missing):
            call_command("runsource", name)


def test_patience_grows_and_is_bounded() -> None:
    waited: list[float] = []

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds

    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience_module, "time", clock)
        one = patience_module.Patience()
        for _ in range(12):
            begun = clock.now
            one.wait(lambda: None)
            waited.append(clock.now - begun)
    assert waited[0] <= patience_module.FIRST_SECONDS
    assert waited[3] > waited[0]
    assert max(waited) <= patience_module.LONGEST_SECONDS + 1e-6
