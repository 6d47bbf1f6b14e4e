"""What holds of every list, and of everything that can be read and changed, read off the document."""

from typing import Any

import pytest

from tests.conftest import World
from tests.rights.conftest import acme, clients, one_acme
from tests.rights.test_mass_assignment import taker, whose
from tests.rights.walk import Clients, undone
from tests.smartqueue.test_openapi import DOCUMENT, OPERATIONS, Operation, parameters, resolved

__all__ = ["acme", "clients", "one_acme"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_acme")]


def body_of(operation: Operation) -> dict[str, Any]:
    content = operation.says["responses"].get("200", {}).get("content", {}).get("application/json", {})
    return dict(resolved(content.get("schema", {})).get("properties", {}))


LISTS = [one for one in OPERATIONS if one.method == "get" and "items" in body_of(one)]
# All there are, each time: they are the deployment's, not rows.
WHOLE = {"list_job_types"}
# No base64, and base64 of what is no place in a list.
BROKEN = ("x", "%00", "é", "1' OR '1'='1", "../..", "MQ==", "W10=", "bnVsbA==", "WzEsMSwxXQ", "e30=")
WRITES = ("put", "patch", "delete")
CHANGED = [one for one in OPERATIONS if one.method in WRITES and "get" in DOCUMENT["paths"][one.path]]
# Changed in one statement that names what is to be, whatever it was; or nothing of it changes but that it goes.
UNVERSIONED = {
    "auth_me_partial_update": "one's own, field by field",
    "orgs_partial_update": "its name and its shell programs, each put whole; the trail tells what was there",
    "change_job_settings": "each setting is put whole; the trail tells what was there",
    "change_webhook": "each field is put whole; the trail tells what was there",
    "remove_webhook": "nobody mends what is deleted",
    "change_job_view": "each field is put whole; the trail tells what was there",
    "remove_job_view": "nobody mends what is deleted",
    "remove_mail_alert": "it is never changed",
    "change_alert_rule": "each field is put whole; the trail tells what was there",
    "remove_alert_rule": "nobody mends what is deleted",
    "end_sign_ins": "one's own, all of them",
    "delete_artefact": "it is never changed",
    "close_org": "confirmed by its name; asked for again it changes nothing, and it can be taken back",
    "auth_me_destroy": "one's own, confirmed by the password",
}
# If-Match is honoured there, and need not be sent.
AT_WILL = {"delete_job": "what has ended changes no more, unless it is replayed, and then it is not deleted"}


def names_of(answer: Any) -> list[Any]:
    """What the rows begin with: an id, a name or a time."""
    return [next(iter(row.values())) for row in answer.json()["items"]]


@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_a_list_is_read_page_by_page(world: World, acme: Any, clients: Clients, operation: Operation) -> None:
    if str(operation) in WHOLE:
        assert "next_cursor" not in body_of(operation)
        return
    client, _ = clients[whose(operation)[0]]
    path, _, _ = taker(operation, acme)
    names = {one["name"] for one in parameters(operation.says) if one["in"] == "query"}
    assert {"limit", "cursor"} <= names
    assert "next_cursor" in body_of(operation)

    whole, first = client.get(path), client.get(path, {"limit": 1})

    rows = names_of(whole)
    assert whole.json()["next_cursor"] is None
    assert names_of(first) == rows[:1]
    assert (first.json()["next_cursor"] is None) == (len(rows) < 2)
    if cursor := first.json()["next_cursor"]:
        assert first["Link"].endswith('>; rel="next"')
        assert names_of(client.get(path, {"limit": 1, "cursor": cursor})) == rows[1:2]
        assert names_of(client.get(first["Link"][1:].split(">")[0])) == rows[1:2]
    for broken in (*BROKEN, f"{cursor}x"):
        answer = client.get(path, {"cursor": broken})
        assert answer.status_code == 400, (broken, answer.content)
        assert answer.json()["errors"][0]["pointer"] == "/cursor"
    for size in ("0", "-1", "201", "1000000000", "1.5", "x", "１", "1e1", ""):
        answer = client.get(path, {"limit": size})
        assert answer.status_code == 400, size
        assert answer.json()["errors"][0]["pointer"] == "/limit"


@pytest.mark.parametrize("operation", CHANGED, ids=str)
def test_a_change_says_which_version_it_is_of(world: World, acme: Any, clients: Clients, operation: Operation) -> None:
    client, _ = clients[whose(operation)[0]]
    path, body, _ = taker(operation, acme)
    read = client.get(path, headers={"x-org": "acme"})
    if str(operation) in UNVERSIONED:
        assert "ETag" not in read
        assert "If-Match" not in {one["name"] for one in parameters(operation.says)}
        return

    def changed(**headers: str) -> int:
        with undone():
            return int(getattr(client, operation.method)(path, body, headers=headers).status_code)

    assert changed() == 428 or str(operation) in AT_WILL
    for stale in ('"99"', "W/" + read["ETag"], '"x"', "", f"{read['ETag']}x"):
        assert changed(**{"if-match": stale}) == 412, stale
    assert changed(**{"if-match": read["ETag"]}) < 300
    assert changed(**{"if-match": "*"}) < 300
    assert ({"412"} if str(operation) in AT_WILL else {"412", "428"}) <= set(operation.says["responses"])


def test_nothing_is_excused_that_is_not_there() -> None:
    assert set(UNVERSIONED) <= {str(one) for one in CHANGED}
    assert {str(one) for one in CHANGED} - set(UNVERSIONED) - set(AT_WILL) == {
        "change_schedule",
        "remove_schedule",
        "change_queue",
    }
    assert len(LISTS) > 20
