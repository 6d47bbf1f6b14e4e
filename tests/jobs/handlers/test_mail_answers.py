"""email jobs: what is made of a mail server's answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.handlers.base import Answer, Done, Fail, Retry
from tests.jobs.handlers.fakes import run
from tests.jobs.handlers.mailbox import Mailbox, taking_mail

LETTER = {"to": ["ada@example.com"], "subject": "Report", "text": "Good morning.\n"}
ID = "018f0000-0000-7000-8000-0000000000aa"


@pytest.fixture
def box(settings: Settings) -> Iterator[Mailbox]:
    settings.DEFAULT_FROM_EMAIL = "Acme Jobs <jobs@acme.example>"
    with taking_mail() as one:
        yield one


def sent(**payload: Any) -> Answer:
    return run("email", {**LETTER, **payload})


def done(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer, Done), answer
    found: dict[str, Any] = answer.result
    return found


# --- what the server answers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "kind", "error_type"),
    [
        ("451 4.7.1 Try again later", Retry, "MailDeferred"),
        ("421 Too busy", Retry, "MailDeferred"),
        ("550 5.7.1 We do not take this", Fail, "MailRefused"),
        ("552 Too large", Fail, "MailRefused"),
    ],
)
def test_the_first_digit_decides(box: Mailbox, step: str, reply: str, kind: type, error_type: str) -> None:
    box.replies[step] = reply

    answer = sent()

    assert type(answer) is kind
    assert isinstance(answer, Fail | Retry)
    assert (answer.error_type, answer.reason) == (error_type, f"The mail server answered {reply}")
    assert box.taken == []


def test_who_is_refused_is_told_and_who_is_not_gets_it_once(box: Mailbox) -> None:
    box.replies = {"b@example.com": "550 No such user", "c@example.com": "450 Greylisted"}

    result = done(sent(to=["a@example.com", "b@example.com"], bcc=["c@example.com"]))

    assert [taken.recipients for taken in box.taken] == [["a@example.com"]]
    assert result["accepted"] == ["a@example.com"]
    assert result["refused"] == [
        {"address": "b@example.com", "code": 550, "reply": "No such user"},
        {"address": "c@example.com", "code": 450, "reply": "Greylisted"},
    ]


def test_it_is_tried_again_while_one_of_them_may_be_taken(box: Mailbox) -> None:
    box.replies = {"a@example.com": "550 No such user", "b@example.com": "450 Greylisted"}

    answer = sent(to=["a@example.com", "b@example.com"])

    assert isinstance(answer, Retry)
    assert answer.error_type == "MailDeferred"
    assert [one["code"] for one in answer.result["refused"]] == [550, 450]


def test_a_farewell_that_fails_is_no_reason_to_send_it_again(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    async def vanish(self: Any, arg: Any) -> None:
        self.transport.abort()

    monkeypatch.setattr("aiosmtpd.smtp.SMTP.smtp_QUIT", vanish)

    assert done(sent())["accepted"] == ["ada@example.com"]
    assert len(box.taken) == 1
