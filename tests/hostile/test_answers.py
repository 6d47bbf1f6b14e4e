"""What is no page: JSON, files, their names, and mails, with hostile text in every column."""

import csv
import io
import json
import re
import unicodedata
from typing import Any
from uuid import UUID

import pytest
from django.core.mail import get_connection

from jobs.delivery.letters import Digest, Item
from jobs.delivery.mail import written
from jobs.models import Artefact
from orgs.roles import Gate
from tests.factories import api, browser
from tests.hostile.columns import overwrite
from tests.hostile.rows import Filled
from tests.hostile.texts import HOSTILE
from tests.rights.things import path_of
from tests.rights.walk import OF_API, OF_PAGES, undone

pytestmark = pytest.mark.django_db

BREAKS = {"break": "a\r\nX-Evil: 1\r\n\r\n<b>", "quote": 'a"; filename="b.html', "path": "../../etc/passwd\\..\\x"}
FORMULAS = (
    *("=cmd|' /C calc'!A0", "@SUM(1+1)", "+1+cmd", "-2+3", "\t=1", "\r\n=1", "\uff1d1+1", "\uff0b1", "\ufe62\uff1d1"),
    *("\u3000=1", "\ufeff=1", "\u2028=1"),
)
# Asked of the pages only by their own test, or not about rows.
TYPES = {"application/json", "application/problem+json", "application/x-ndjson", "text/csv; charset=utf-8"}


def api_paths(filled: Filled) -> list[str]:
    found = [
        path_of(route.path, str(route.pattern.name), filled.names, filled.own)
        for route in OF_API
        if "GET" in route.needs and Gate.ANYBODY not in route.needs.values()
    ]
    return [*found, *(f"/api/v1/jobs/{job}/" for job in filled.ids.values())]


@pytest.mark.parametrize("name", ["script", "terminal", "line separators", "template"])
def test_every_answer_of_the_api_is_json_that_no_browser_takes_for_more(filled: Filled, name: str) -> None:
    overwrite(HOSTILE[name])
    client, told = api(filled.world.platform_admin, filled.world.org), 0

    for path in api_paths(filled):
        response = client.get(path, headers={"Accept": "*/*"})

        assert response.status_code < 500, (path, response.content[:300])
        assert response["X-Content-Type-Options"] == "nosniff"
        if response.streaming:
            b"".join(response)
            assert response["Content-Disposition"].startswith("attachment")
            continue
        assert response["Content-Type"] in TYPES, path
        again = json.dumps(json.loads(response.content))
        assert "\x1b" not in response.content.decode(), "JSON escapes it"
        told += json.dumps(HOSTILE[name])[1:-1] in again
    assert told > 10


@pytest.mark.parametrize("text", [*BREAKS.values(), *HOSTILE.values()], ids=[*BREAKS, *HOSTILE])
def test_the_name_of_a_file_is_one_parameter_of_one_header(filled: Filled, text: str) -> None:
    with undone():
        Artefact.objects.update(name=text, content_type="text/html")
        routes = [one for one in (*OF_API, *OF_PAGES) if "artefact" in one.path and "GET" in one.needs]
        heard = 0
        for route in routes:
            client = api(filled.world.owner) if route.is_api else browser(filled.world.owner)
            response = client.get(path_of(route.path, str(route.pattern.name), filled.names, filled.own))
            if not response.streaming:
                continue
            b"".join(response)
            heard += 1
            assert_kept_to_itself(response["Content-Disposition"])
            assert response["X-Content-Type-Options"] == "nosniff"
    assert heard >= 4


def assert_kept_to_itself(header: str) -> None:
    """attachment, and at most one name: in quotes, or encoded."""
    assert re.fullmatch(
        r'attachment(; filename="(?:[^"\\\r\n]|\\["\\])*"|; filename\*=utf-8\'\'[\w.%~!#$&+^`|-]*)?', header
    ), header
    assert header.replace("\t", " ").isprintable()


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_an_export_is_a_formula(filled: Filled, text: str) -> None:
    overwrite(text)
    for client, path in (
        (api(filled.world.owner), "/api/v1/audit/export/"),
        (browser(filled.world.owner), "/audit/export/"),
    ):
        response = client.get(f"{path}?form=csv")
        rows = list(csv.reader(io.StringIO(b"".join(response).decode(), newline="")))

        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}
        for cell in (cell for row in rows for cell in row):
            seen = unicodedata.normalize("NFKC", cell).lstrip(' \t\r\n\x0b\x0c\ufeff\u200b\u2028\u2029"')
            assert not seen.startswith(("=", "+", "-", "@")), cell


@pytest.mark.parametrize("text", [*BREAKS.values(), *HOSTILE.values()], ids=[*BREAKS, *HOSTILE])
def test_a_mail_has_the_headers_that_we_wrote(text: str) -> None:
    job: Any = {"title": text, "name": text, "type": text, "queue": text, "attempt": 1, "id": "1"}
    data = {"job": {**job, "error_type": text, "error": text}}
    item = Item(id=UUID(int=1), event="job.failed", data=data, attempt=1, attempts_before=0)
    message = written(Digest(UUID(int=1), "a@example.com", text, [item]), get_connection()).message()

    assert sorted(message.keys()) == sorted(set(message.keys()))
    assert "\n" not in str(message["Subject"])
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\u2028]", str(message["Subject"]))
    body = message.get_payload(decode=True).decode()
    assert body.count("\n") == written(Digest(UUID(int=1), "a@example.com", "a", [item]), get_connection()).body.count(
        "\n"
    )
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\u2028]", body)
