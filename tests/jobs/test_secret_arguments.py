"""What a task calls secret is hidden wherever its payload is shown, and nowhere else."""

import json
from typing import Any

import pytest

from jobs.exports.reader import hidden
from jobs.handlers.python_task import BadSignature, task
from jobs.handlers.signatures import signature_of
from jobs.hiding import hidden_values, hide, mask_faults, restore
from jobs.masking import MASK
from jobs.search.language import NotUnderstood, parse
from jobs.search.lexemes import value_word, values_of
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import browser, make_dead_letter
from tests.jobs.handlers.fakes import make_attempt, make_claimed
from tests.jobs.pages.pages import read

PIN, CODE = "7-left-3-right", "code-of-the-vault"
KWARGS: dict[str, Any] = {"pin": PIN, "codes": [CODE], "note": "of the safe"}
PAYLOAD: dict[str, Any] = {"task": "tests.safe", "kwargs": KWARGS}
SHOWN: dict[str, Any] = {"task": "tests.safe", "kwargs": {"pin": MASK, "codes": [MASK], "note": "of the safe"}}


def test_its_arguments_are_shown_without_them() -> None:
    assert hide(PAYLOAD) == SHOWN
    # where a job is told of: a schedule, a callback, an audit entry
    assert hide({"old": {"payload": PAYLOAD}, "jobs": [PAYLOAD]}) == {"old": {"payload": SHOWN}, "jobs": [SHOWN]}
    assert hidden(("1", PAYLOAD), {1}) == ("1", SHOWN)


@pytest.mark.parametrize(
    "payload",
    [
        {"task": "demo.add", "kwargs": {"a": 1, "b": 2}},
        {"task": "tests.named_value", "kwargs": {"value": PIN}},
        {"kwargs": {"pin": PIN}, "task": 5},
        {"task": "tests.safe", "kwargs": {"pin": PIN}, "url": "not a python job's"},
    ],
)
def test_what_no_task_calls_secret_is_shown(payload: dict[str, Any]) -> None:
    assert hide(payload) == payload
    assert hidden_values(payload) == []


def test_of_a_task_that_is_not_known_nothing_is_shown() -> None:
    gone = {"task": "tests.was_removed", "kwargs": {"pin": PIN, "note": "x"}}
    assert hide(gone) == {"task": "tests.was_removed", "kwargs": {"pin": MASK, "note": MASK}}
    assert set(hidden_values(gone)) == {PIN, "x"}


def test_a_mask_that_comes_back_stands_for_the_value() -> None:
    assert restore(SHOWN, PAYLOAD) == PAYLOAD
    assert mask_faults(restore(SHOWN, PAYLOAD)) == []
    assert [pointer for pointer, _ in mask_faults(SHOWN)] == ["/kwargs/pin", "/kwargs/codes/0"]


def test_a_mask_under_another_task_is_given_nothing() -> None:
    """It might tell what it is given."""
    sent = {"task": "tests.named_value", "kwargs": {"pin": MASK, "codes": [MASK], "note": "a"}}
    assert restore(sent, PAYLOAD) == sent


def test_the_schema_says_so() -> None:
    def charge(card: str, cents: int = 0) -> None: ...

    schema = signature_of(charge, frozenset({"card"})).schema
    assert schema["properties"] == {
        "card": {"type": "string", "writeOnly": True},
        "cents": {"type": "integer", "default": 0},
    }


def test_a_parameter_that_is_not_there_is_refused() -> None:
    def charge(card: str) -> None: ...

    with pytest.raises(BadSignature, match="calls 'crad' secret, and has no such parameter"):
        task(secret=("crad",))(charge)


def test_one_name_may_stand_alone() -> None:
    def charge(card: str) -> None: ...

    with pytest.raises(BadSignature, match="calls 'crad' secret"):
        task(secret="crad")(charge)


@pytest.mark.django_db(transaction=True)
def test_neither_the_log_nor_the_result_tells(world: World) -> None:
    attempt = make_attempt(make_claimed("python", PAYLOAD, org_id=world.org.pk))
    end = attempt.run()

    assert end.result == {"said": MASK, "codes": [MASK], "note": "of the safe"}
    assert [line[2] for line in attempt.reporter.take()[0]] == [f"tried {MASK} ['{MASK}']"]


@pytest.mark.django_db
def test_no_page_and_no_call_shows_them(world: World) -> None:
    job = make_dead_letter(world.org, type="python", payload=PAYLOAD)
    client = browser(world.owner)
    addresses = [
        f"/jobs/{job.pk}/",
        f"/jobs/{job.pk}/payload/",
        f"/jobs/submit/?from={job.pk}",
        f"/api/v1/jobs/{job.pk}/",
        "/api/v1/jobs/",
        "/api/v1/dead-letters/",
    ]
    texts = {address: client.get(address, headers={"X-Org": "acme"}).content.decode() for address in addresses}

    assert [address for address, text in texts.items() if PIN in text or CODE in text] == []
    assert MASK in texts[addresses[0]]
    assert "of the safe" in texts[addresses[0]]


@pytest.mark.django_db
def test_edit_and_replay_keeps_them_and_its_entry_hides_them(world: World) -> None:
    job = make_dead_letter(world.org, type="python", payload=PAYLOAD)
    client = browser(world.operator)
    text = read(client.get(f"/jobs/{job.pk}/")).by_id("edited-payload").raw
    edited = json.loads(text)
    edited["kwargs"]["note"] = "another"

    response = client.post(f"/jobs/{job.pk}/replay/", {"payload": json.dumps(edited)})

    assert response.status_code == 302
    job.refresh_from_db()
    assert job.payload["kwargs"] == KWARGS | {"note": "another"}
    detail = json.dumps(AuditEntry.objects.get(action="job.replay").detail)
    assert PIN not in detail
    assert CODE not in detail
    assert "another" in detail


@pytest.mark.django_db
def test_a_job_is_not_edited_into_one_that_tells(world: World) -> None:
    job = make_dead_letter(world.org, type="python", payload=PAYLOAD)
    edited = {"task": "tests.named_value", "kwargs": {"value": MASK}}

    browser(world.operator).post(f"/jobs/{job.pk}/replay/", {"payload": json.dumps(edited)})

    job.refresh_from_db()
    assert job.payload == edited


def test_they_make_no_words() -> None:
    others = {**PAYLOAD, "kwargs": {**KWARGS, "pin": "other", "codes": ["more"]}}
    words = list(values_of("payload", PAYLOAD))

    assert list(values_of("payload", others)) == words
    assert value_word(("payload", "kwargs", "note"), "of the safe") in words
    assert len(words) == 2


def test_they_are_searched_nowhere() -> None:
    assert parse('payload.kwargs.note:"of the safe"').members
    with pytest.raises(NotUnderstood, match=r"payload.kwargs.pin is hidden"):
        parse(f"payload.kwargs.pin:{PIN}")
