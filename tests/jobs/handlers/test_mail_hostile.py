"""email jobs that try to be more than one message: refused by their fields, or literal; never another header."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers import registry
from jobs.handlers.base import Done
from tests.conftest import World
from tests.factories import api
from tests.jobs.handlers.fakes import run
from tests.jobs.handlers.filed import File, with_files
from tests.jobs.handlers.mailbox import Mailbox, taking_mail

LETTER = {"to": ["ada@example.com"], "subject": "Report", "text": "Good morning.\n"}
ID = "018f0000-0000-7000-8000-0000000000aa"
BREAKS = ["\r\nBcc: victim@example.com", "\nBcc: victim@example.com", "\rBcc: x@example.com", "\x0b", "\x85", "\u2028"]
SECRETS = [
    "{{settings.SECRET_KEY}}",
    "{% load static %}{% debug %}",
    "${SECRET_KEY}",
    "{0.__class__}",
    "%(SECRET_KEY)s",
]


@pytest.fixture
def box(settings: Settings) -> Iterator[Mailbox]:
    settings.DEFAULT_FROM_EMAIL = "jobs@acme.example"
    with taking_mail() as one:
        yield one


def refused(**payload: Any) -> dict[str, str]:
    with pytest.raises(InvalidPayload) as refusal:
        registry.get("email").check({**LETTER, **payload}, {})
    return dict(refusal.value.errors)


@pytest.mark.parametrize("text", BREAKS)
def test_no_field_of_a_header_holds_a_line_break(text: str) -> None:
    fields = {
        "/to/0": {"to": [f"ada@example.com{text}"]},
        "/cc/0": {"cc": [f"Ada{text} <ada@example.com>"]},
        "/bcc/1": {"bcc": ["b@example.com", f"<ada@example.com{text}>"]},
        "/subject": {"subject": f"Report{text}"},
        "/from_name": {"from_name": f"Ada{text}"},
        "/reply_to": {"reply_to": f"Ada <ada@example.com>{text}"},
        "/headers/List-Id": {"headers": {"List-Id": f"<a.example>{text}"}},
        "/attachments/0/name": {"attachments": [{"artefact": ID, "name": f"a.txt{text}"}]},
    }

    assert {pointer: [*refused(**payload)] for pointer, payload in fields.items()} == {
        pointer: [pointer] for pointer in fields
    }


@pytest.mark.parametrize("field", ["text", "html", "subject", "from_name"])
def test_nul_is_refused(field: str) -> None:
    assert [*refused(**{field: "a\0b"})] == [f"/{field}"]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            " ",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@localhost",
            "ada@@example.com",
            "ada@example.com,",
        ),
        *("a@example.com, b@example.com", "a@example.com;b@example.com", "ada@exa mple.com", "ada @example.com"),
        *("Ada ada@example.com", "Ada <ada@example.com", "ada@example.com>", "<a@example.com> <b@example.com>"),
        *("a@example.com <b@example.com", "ada@[127.0.0.1]", "ada@[IPv6:::1]", "ada@127.0.0.1"),
        *('"a b"@example.com', '"a\\"@evil.example"@example.com', "zoë@example.com", "用户@example.com"),
        *("ada@-example.com", "ada@example..com", f"{'a' * 250}@example.com", f"a@{'b' * 64}.com", "<>", "postmaster"),
        *(
            f"{'n' * 101} <ada@example.com>",
            "ada@exa\u200bmple.com",
            "ada@example.com\u2029",
            "undisclosed-recipients:;",
        ),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert "/to/0" in refused(to=[address])


def test_letters_before_the_at_are_refused_in_clear_words() -> None:
    assert refused(to=["zoë@example.com"]) == {
        "/to/0": "Before the @ only ASCII characters can be sent to; the domain may have others."
    }


@pytest.mark.parametrize("name", ["to", "cc", "bcc"])
def test_a_thousand_recipients_are_too_many(name: str, box: Mailbox) -> None:
    many = [f"a{number}@example.com" for number in range(1_000)]

    assert refused(**{name: many}) == {"/to": "At most 50 recipients in to, cc and bcc."}


def test_the_lists_count_together() -> None:
    some = [f"a{number}@example.com" for number in range(17)]

    assert refused(to=some, cc=some, bcc=some) == {"/to": "At most 50 recipients in to, cc and bcc."}
    registry.get("email").check({**LETTER, "to": some, "cc": some, "bcc": some[:16]}, {})


@pytest.mark.parametrize(
    "name",
    [
        *("From", "Sender", "Bcc", "bcc", "To", "Subject", "Message-ID", "Return-Path", "Content-Type", "MIME-Version"),
        *("DKIM-Signature", "Received", "X-Anything", "list-unsubscribe", "List-Id\r\nBcc", "", "Resent-To", "Date"),
    ],
)
def test_only_known_headers_may_be_set(name: str) -> None:
    (pointer,) = refused(headers={name: "x"})
    assert pointer.startswith("/headers/")


@pytest.mark.parametrize("name", ["Bank <ceo@bank.example>", "ceo@bank.example", "<", "a>b"])
def test_a_name_cannot_pass_for_another_address(name: str) -> None:
    assert [*refused(from_name=name)] == ["/from_name"]


@pytest.mark.parametrize("field", ["from", "from_email", "sender", "envelope_from", "template", "context"])
def test_where_it_comes_from_is_not_the_jobs_to_say(field: str) -> None:
    assert [*refused(**{field: "ceo@bank.example"})] == [f"/{field}"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "a\\b", "..", ".", " ", 'a"; filename="b', "c:\\x", "a|b"])
def test_an_attachments_name_is_no_path(name: str) -> None:
    assert [*refused(attachments=[{"artefact": ID, "name": name}])] == ["/attachments/0/name"]


@pytest.mark.parametrize("artefact", ["", "x", "../../secret", f"{ID}'", "1"])
def test_an_artefact_is_named_by_its_id(artefact: str) -> None:
    assert [*refused(attachments=[{"artefact": artefact}])] == ["/attachments/0/artefact"]


def test_attachments_are_only_so_many() -> None:
    assert refused(attachments=[{"artefact": ID}] * 11) == {"/attachments": "At most 10."}


@pytest.mark.parametrize("text", SECRETS)
def test_templates_arrive_as_they_are_written(text: str, box: Mailbox) -> None:
    payload = {**LETTER, "subject": text, "text": text, "html": f"<p>{text}</p>", "from_name": text[:90]}

    assert isinstance(run("email", payload), Done)

    message = box.taken[0].message
    plain, html = message.iter_parts()
    assert (message["Subject"], plain.get_content().strip()) == (text, text)
    assert html.get_content().strip() == f"<p>{text}</p>"
    assert message["From"].addresses[0].display_name == text[:90]


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: x@example.com.txt", 'a"; name="b.exe', "../../x", "\u202eexe.txt", "", "...", "x" * 400]
)
def test_what_a_files_owner_called_it_adds_nothing(name: str, box: Mailbox, tmp_path: Path) -> None:
    hostile = File(b"x", name, "text/plain\r\nBcc: x@example.com")
    context, _ = with_files("email", {**LETTER, "attachments": [{"artefact": ID}]}, tmp_path, {ID: hostile})

    registry.get("email").perform(context)

    (taken,) = box.taken
    assert taken.recipients == ["ada@example.com"]
    assert "Bcc" not in taken.message
    (part,) = taken.message.iter_attachments()
    assert {*part.keys()} == {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version"}
    shown = part.get_filename() or ""
    assert 0 < len(shown) <= 120
    assert not set(shown) & set('\r\n/\\"')


def test_a_hostile_correlation_id_adds_nothing(box: Mailbox) -> None:
    run("email", LETTER, correlation_id="x\r\nBcc: victim@example.com")

    assert "X-Correlation-ID" not in box.taken[0].message
    assert "Bcc" not in box.taken[0].message


@pytest.mark.django_db
def test_over_rest_hostile_bodies_are_refused_with_their_fields(world: World) -> None:
    client = api(world.operator)
    bodies = [
        {**LETTER, "to": ["ada@example.com\r\nBcc: x@example.com"]},
        {**LETTER, "subject": "a\r\nBcc: x@example.com"},
        {**LETTER, "to": [["ada@example.com"]]},
        {**LETTER, "to": "ada@example.com"},
        {**LETTER, "to": {}},
        {**LETTER, "headers": {"From": "x@example.com"}},
        {**LETTER, "attachments": [{"artefact": 1}]},
        {"to": ["ada@example.com"]},
        {},
    ]

    for payload in bodies:
        response = client.post("/api/v1/jobs/", {"type": "email", "payload": payload})
        assert response.status_code == 400, json.dumps(payload)
        assert all(one["pointer"].startswith("/payload/") for one in response.json()["errors"])
