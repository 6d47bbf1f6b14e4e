"""email jobs against a real mail server: what arrives."""

import email.utils
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers import registry
from jobs.handlers.base import Answer, Done, PermanentFailure
from tests.jobs.handlers.fakes import JOB_ID, make_context, reported, run
from tests.jobs.handlers.filed import File, with_files
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


# --- what arrives ---------------------------------------------------------------------------------------------------


def test_a_message_arrives_once_with_the_headers_it_should_have(box: Mailbox) -> None:
    context = make_context("email", LETTER, attempt=2)

    result = done(registry.get("email").perform(context))

    (taken,) = box.taken
    message = taken.message
    assert (taken.sender, taken.recipients) == ("jobs@acme.example", ["ada@example.com"])
    assert (message["From"], message["To"], message["Subject"]) == (
        *("Acme Jobs <jobs@acme.example>", "ada@example.com", "Report"),
    )
    assert message["Message-ID"] == f"<{JOB_ID}@acme.example>" == result["message_id"]
    assert (message["X-SmartQueue-Job-ID"], message["X-Correlation-ID"]) == (str(JOB_ID), "corr-1")
    assert message["Auto-Submitted"] == "auto-generated"
    age = datetime.now(UTC) - email.utils.parsedate_to_datetime(message["Date"]).replace(tzinfo=UTC)
    assert abs(age) < timedelta(minutes=1)
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "Good morning.\r\n"
    assert (result["accepted"], result["refused"]) == (["ada@example.com"], [])
    assert result["bytes"] > 200
    assert [fraction for fraction, _ in reported(context).steps] == [0.1, 0.3, 0.5]


def test_a_later_attempt_has_the_same_message_id(box: Mailbox) -> None:
    for attempt in (1, 2):
        registry.get("email").perform(make_context("email", LETTER, attempt=attempt))

    assert len({taken.message["Message-ID"] for taken in box.taken}) == 1


def test_text_and_html_are_alternatives(box: Mailbox) -> None:
    done(sent(html="<p>Good morning, <b>Ada</b>.</p>"))

    message = box.taken[0].message
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), text.get_content()) == ("text/plain", "Good morning.\r\n")
    assert (html.get_content_type(), html.get_content().strip()) == ("text/html", "<p>Good morning, <b>Ada</b>.</p>")


def test_names_and_words_of_all_languages_arrive(box: Mailbox) -> None:
    name, subject, text = "Žofie „Ž“ 李 🦊" * 6, "Übersicht für 東京 🚆 " * 9, "naïve\n" + "é" * 3_000 + "\n"

    done(sent(to=[f"{name} <zofie@example.com>"], subject=subject.strip(), text=text, from_name="Müller, Söhne"))

    taken = box.taken[0]
    assert taken.data.isascii()
    assert max(map(len, taken.data.split(b"\r\n"))) <= 998
    message = taken.message
    assert message["Subject"] == subject.strip()
    # the newer parser puts blanks between the words of a name
    (to,) = [line for line in taken.raw_headers if line.startswith("To: ")]
    assert str(make_header(decode_header(to))) == f"To: {name} <zofie@example.com>"
    assert max(map(len, re.findall(rb"=\?utf-8\?b\?[^?]+\?=", taken.data))) <= 75
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Müller, Söhne", "jobs@acme.example")
    assert message.get_content() == text.replace("\n", "\r\n")


def test_names_with_what_has_a_meaning_in_a_header_arrive_as_they_are(box: Mailbox) -> None:
    names = ["Lovelace, Ada", 'Ada "Countess" Lovelace', "a;b:c(d)e\\f", "Ada [at] example.com", "=?utf-8?q?x?="]

    done(sent(to=[f"{name} <a{number}@example.com>" for number, name in enumerate(names)]))

    assert box.taken[0].recipients == [f"a{number}@example.com" for number in range(len(names))]
    shown = [address.display_name for address in box.taken[0].message["To"].addresses]
    assert shown == names


def test_a_quoted_name_is_the_name(box: Mailbox) -> None:
    done(sent(to=['"Lovelace, Ada" <ada@example.com>']))

    assert box.taken[0].message["To"].addresses[0].display_name == "Lovelace, Ada"


def test_a_domain_of_another_alphabet_is_written_in_ascii(box: Mailbox) -> None:
    result = done(sent(to=["info@bücher.example", "Amt <a@правительство.example>"]))

    assert box.taken[0].recipients == ["info@xn--bcher-kva.example", "a@xn--80aealotwbjpid2k.example"]
    assert result["accepted"] == box.taken[0].recipients


def test_everybody_gets_it_once_and_nobody_sees_who_is_in_bcc(box: Mailbox) -> None:
    result = done(sent(to=["a@example.com", "A again <a@example.com>"], cc=["b@example.com"], bcc=["c@example.com"]))

    (taken,) = box.taken
    assert taken.recipients == result["accepted"] == ["a@example.com", "b@example.com", "c@example.com"]
    assert taken.message["Cc"] == "b@example.com"
    assert b"c@example.com" not in taken.data
    assert b"bcc" not in taken.data.lower()


def test_the_jobs_own_headers_and_where_to_reply(box: Mailbox) -> None:
    unsubscribe = f"<https://acme.example/unsubscribe/{'x' * 500}>"
    headers = {
        "List-Unsubscribe": unsubscribe,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "no",
    }

    done(sent(headers=headers, reply_to="Desk <desk@acme.example>"))

    message = box.taken[0].message
    assert {name: message[name] for name in headers} == headers
    assert len(message.get_all("Auto-Submitted")) == 1
    assert message["Reply-To"] == "Desk <desk@acme.example>"
    # a line that programs read is in one piece
    assert box.taken[0].data.count(unsubscribe.encode()) == 1


def test_the_from_address_is_the_organisations(box: Mailbox) -> None:
    org_settings = {"mail_from": "Billing <billing@rival.example>"}

    run("email", LETTER, org_settings=org_settings)
    run("email", {**LETTER, "from_name": "Ada"}, org_settings=org_settings)

    assert [taken.sender for taken in box.taken] == ["billing@rival.example"] * 2
    assert [taken.message["From"] for taken in box.taken] == [
        "Billing <billing@rival.example>",
        "Ada <billing@rival.example>",
    ]


def test_lines_that_end_a_message_do_not(box: Mailbox) -> None:
    text = "one\n.\n..two\nMAIL FROM:<x@example.com>\n\r\n.\r\nQUIT\r\n"

    done(sent(text=text))

    (taken,) = box.taken
    assert taken.message.get_content().split() == text.split()


# --- attachments ----------------------------------------------------------------------------------------------------


def test_attachments_arrive_byte_for_byte(box: Mailbox, tmp_path: Path) -> None:
    every_byte = bytes(range(256)) * 40 + b"\r\n.\r\n\nFrom x\n"
    files = {
        f"018f0000-0000-7000-8000-00000000000{number}": file
        for number, file in enumerate(
            [
                File(every_byte, "all.bin"),
                File(b"a,b\n1,2\n", "unix lines.csv", "text/csv; charset=utf-8"),
                File(b"Subject: x\n\ny", "letter.eml", "message/rfc822"),
                File(b"", "nothing.txt", "text/plain"),
                File(b"x", "odd", "no type at all"),
            ]
        )
    }
    wanted = [{"artefact": one} for one in files] + [{"artefact": next(iter(files)), "name": "Übersicht 李.bin"}]
    context, _ = with_files("email", {**LETTER, "attachments": wanted}, tmp_path, files)

    done(registry.get("email").perform(context))

    parts = list(box.taken[0].message.iter_attachments())
    assert [part.get_payload(decode=True) for part in parts] == [
        *(file.data for file in files.values()),
        every_byte,
    ]
    names = ["all.bin", "unix lines.csv", "letter.eml", "nothing.txt", "odd", "Übersicht 李.bin"]
    assert [part.get_filename() for part in parts] == names
    assert [part.get_content_type() for part in parts] == [
        *("application/octet-stream", "text/csv", "application/octet-stream", "text/plain"),
        *("application/octet-stream", "application/octet-stream"),
    ]
    assert box.taken[0].message.get_body().get_content() == "Good morning.\r\n"  # type: ignore[union-attr]


def test_attachments_have_a_limit_together(box: Mailbox, tmp_path: Path, settings: Settings) -> None:
    settings.EMAIL_ATTACHMENTS_MAX_BYTES = 100
    files = {ID: File(b"x" * 60)}
    payload = {**LETTER, "attachments": [{"artefact": ID}, {"artefact": ID}]}
    context, _ = with_files("email", payload, tmp_path, files)

    with pytest.raises(PermanentFailure, match="more than 100 bytes"):
        registry.get("email").perform(context)

    assert box.taken == []


def test_a_file_of_nobody_ends_the_job(box: Mailbox, tmp_path: Path) -> None:
    context, _ = with_files("email", {**LETTER, "attachments": [{"artefact": ID}]}, tmp_path, {})

    with pytest.raises(PermanentFailure, match="no artefact"):
        registry.get("email").perform(context)

    assert box.taken == []


# --- where there is no server ---------------------------------------------------------------------------------------


def test_in_development_mail_is_a_file(settings: Settings, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")

    result = done(sent(html="<p>x</p>"))

    (file,) = (tmp_path / "mail").iterdir()
    assert f"Message-ID: {result['message_id']}" in file.read_text()
    assert "To: ada@example.com" in file.read_text()


def test_without_a_server_jobs_are_refused_at_submit(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = ""

    with pytest.raises(InvalidPayload) as refusal:
        registry.get("email").check(LETTER, {})

    assert "SMARTQUEUE_EMAIL_URL" in dict(refusal.value.errors)[""]
