"""Every form, sent with each text in all of its fields: what it says of them, it says as text."""

from typing import Any

import pytest

from orgs.roles import Gate
from tests.factories import browser
from tests.hostile.looking import is_page, looked_at
from tests.hostile.rows import Filled
from tests.hostile.texts import HOSTILE
from tests.rights.bodies import BODIES
from tests.rights.things import path_of
from tests.rights.walk import OF_PAGES, undone

pytestmark = pytest.mark.django_db

FORMS = [one for one in OF_PAGES if "POST" in one.needs and one.pattern.name != "sign-out"]
# Besides those that a test of rights sends: names that any of the forms knows.
NAMES = (
    *("username", "password", "password2", "email", "name", "slug", "next", "q", "role", "person", "token", "reason"),
    *("type", "task", "kwargs", "payload", "title", "description", "queue", "urgency", "category", "once", "copy_of"),
    *("url", "method", "headers", "body", "argv", "to", "subject", "text", "categories", "policy", "confirm", "theme"),
    *("http_allow_hosts", "http_deny_hosts", "shell_programs", "old_password", "new_password", "job", "run_at"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_form_tells_what_is_wrong_with_a_text_as_text(filled: Filled, name: str) -> None:
    client, shown = browser(filled.world.owner), 0
    for route in FORMS:
        path = path_of(route.path, str(route.pattern.name), filled.names, filled.own)
        known: dict[str, Any] = BODIES.get(("POST", str(route.pattern.name))) or {}
        for kept in ({}, {key: value for key, value in known.items() if key in {"type", "role", "policy", "urgency"}}):
            sent = {**dict.fromkeys([*NAMES, *known], HOSTILE[name]), **kept}
            person = browser() if Gate.ANYBODY in route.needs.values() else client
            with undone():
                response = person.post(path, sent)
                if is_page(response, path):
                    looked_at(response, path)
                    shown += 1
                elif response.status_code == 302:
                    assert response["Location"].startswith("/"), (path, response["Location"])
                    assert not response["Location"].startswith(("//", "/\\")), (path, response["Location"])
    assert shown > 5
