"""What is put into the queries of addresses to get at more: it is refused or finds nothing, and it is never a failure
of ours.
"""

from typing import Any

import pytest
from django.http import HttpResponse

from jobs.models import Job
from orgs.roles import Gate
from tests.conftest import World
from tests.factories import api, browser, make_dead_letter, make_done, make_job
from tests.hostile.looking import is_page, looked_at
from tests.rights.test_mass_assignment import taker, whose
from tests.rights.things import path_of
from tests.rights.walk import OF_PAGES, Clients
from tests.smartqueue.test_openapi import OPERATIONS, Operation, parameters

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_acme")]

RIVAL = "rivals-own-canary"
INJECTIONS = (
    *("password", "org__owner__password", "-org__slug", "created_by__password__startswith", "-id;--", "?", "id,name"),
    *("payload__x' OR 1=1 --", 'payload__"a\'b"', "' OR '1'='1", "') OR 1=1; --", "1; DROP TABLE jobs_job; --", "$$"),
    *("-1", "1000000000", "9" * 40, "1e9", "0x10", "NaN", "\0", "%00", "\\", "\\'; --", "%", "_", "%%_", "*", "[", "("),
    *(
        "{{7*7}}",
        "../../etc/passwd",
        "a\r\nX-Evil: 1",
        "\u2028",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ),
    *(
        "null",
        "true",
        "[]",
        "{}",
        "infinity",
        "-infinity",
        "9999-12-31T23:59:59-12:00",
        "01900000-0000-7000-8000-000000000000",
    ),
)
READERS = [
    one
    for one in OPERATIONS
    if one.method == "get" and any(each["in"] == "query" and each["name"] != "wait" for each in parameters(one.says))
]
# What the address of a page may say besides.
OF_PAGES_ALONE = {
    "from",
    "as",
    "in",
    "view",
    "next",
    "v",
    "hours",
    "within",
    "page",
    "token",
    "format",
    "after",
    "before",
    "job",
    "person",
}
NAMES = {one["name"] for each in READERS for one in parameters(each.says) if one["in"] == "query"} | OF_PAGES_ALONE
PAGES = [one for one in OF_PAGES if "GET" in one.needs and Gate.OPERATIONS not in one.needs.values()]


@pytest.fixture
def rivals(weights: bytes, world: World, acme: Any) -> Any:
    """acme full, and what is to be had of rival."""
    for make in (make_job, make_done, make_dead_letter):
        make(world.rival, title=RIVAL, queue=RIVAL, user=world.outsider)
    return acme


def rows_of(answer: HttpResponse) -> int:
    body = answer.json() if answer.get("Content-Type") == "application/json" else {}
    return len(body.get("items", ())) if isinstance(body, dict) else 0


@pytest.mark.parametrize("operation", READERS, ids=str)
def test_no_parameter_is_more_than_it_says(rivals: Any, clients: Clients, operation: Operation) -> None:
    client, _ = clients[whose(operation)[0]]
    path, _, _ = taker(operation, rivals)
    most = rows_of(client.get(path))
    for one in parameters(operation.says):
        if one["in"] != "query" or one["name"] == "wait":
            continue
        for value in INJECTIONS:
            answer = client.get(path, {one["name"]: value})
            content = b"".join(answer) if answer.streaming else answer.content

            said = (one["name"], value, content[:300])
            assert answer.status_code in {200, 400}, said
            assert rows_of(answer) <= most or answer.status_code == 400, said
            if not operation.path.startswith("/api/v1/platform/"):
                assert RIVAL.encode() not in content.replace(value.encode(), b""), said
            assert "X-Evil" not in answer.headers, said


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_no_parameter_of_a_page_is_more_than_it_says(world: World, rivals: Any, route: Any) -> None:
    path = path_of(route.path, str(route.pattern.name), *rivals)
    client = browser(world.owner)
    for value in INJECTIONS:
        answer = client.get(path, dict.fromkeys(NAMES, value))

        if route.path == "/readyz":
            continue
        content = b"".join(answer) if answer.streaming else answer.content
        assert answer.status_code < 500, (value, content[:300])
        assert RIVAL.encode() not in content
        assert "X-Evil" not in answer.headers
        assert answer.get("Location", "/")[:2] not in {"//", "/\\"}
        assert answer.get("Location", "/").startswith("/")
        if not answer.streaming and is_page(answer, path):
            looked_at(answer, path)


LISTS = (
    "/jobs/",
    "/dead-letters/",
    "/errors/",
    "/audit/",
    "/artefacts/",
    "/model/",
    "/jobs/submit/",
    "/members/",
    "/jobs/export/",
)


@pytest.mark.parametrize("path", LISTS)
def test_no_parameter_hides_behind_another(world: World, rivals: Any, path: str) -> None:
    """As above, each alone: the first that is refused is not the only one that is looked at."""
    client = browser(world.owner)
    for name in sorted(NAMES):
        for value in ("' OR '1'='1", "-1"):
            answer = client.get(path, {name: value})

            assert answer.status_code < 500, (name, value)
            assert RIVAL.encode() not in answer.content
            if is_page(answer, path):
                looked_at(answer, path)


@pytest.mark.parametrize("path", ["/api/v1/jobs/", "/jobs/"])
@pytest.mark.parametrize(
    ("text", "title"), [("100%", "100% sure"), ("a_b", "a_b c"), ("a\\b", "a\\b c"), ("[x]", "a [x] b"), ("*", "a * b")]
)
def test_what_is_searched_for_is_taken_as_it_is_written(world: World, path: str, text: str, title: str) -> None:
    before = Job.objects.count()
    found = make_job(world.org, title=title)
    for other in ("100 sure", "axb c", "ab", "a x b", "100xsure", "a\tb"):
        make_job(world.org, title=other)

    if path == "/jobs/":
        page = looked_at(browser(world.owner).get(path, {"q": text}), path)
        ids = [row.attributes["id"] for row in page.all("tr") if row.attributes.get("id", "").startswith("job-")]
        assert ids == [f"job-{found.pk}"]
    else:
        assert [one["id"] for one in api(world.owner).get(path, {"q": text}).json()["items"]] == [str(found.pk)]
    assert Job.objects.count() == before + 7
