"""Whatever people and programs write is shown as text: no page has an element more than it would have without it."""

from typing import Any

import pytest

from jobs.models import Job
from jobs.queue.control import pause
from jobs.queue.lease import report
from jobs.states import Outcome
from orgs.models import Org, User
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import browser, claim_all, finish_one, make_job, make_member, make_org
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover=alert(1) x='",
    "{{7*7}}{% debug %}",
    "javascript:alert(1)",
    "</script></pre></textarea></title><b>",
    '<a hx-get="/sign-out/" hx-trigger="load">x</a>',
    "\x1b[31mred\x1b]0;title\x07",
    "\u202egnp.exe",
    "&lt;b&gt;&amp;",
]


def like(text: str) -> str:
    """Text of the same length that could harm nobody."""
    return "h" * len(text)


def make_hostile(org: Org, user: User, text: str) -> Job:
    """A dead letter that holds the text wherever text can be, in a paused queue with the text as the reason."""
    payload = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}
    job = make_job(org, user=user, name=text[:64], title=text, description=text, payload=payload)
    (claimed,) = claim_all()
    line = {"token": str(claimed.token), "sequence": 1, "stream": "stdout", "text": text, "age_seconds": 0}
    report(lines=[line], progress=[])
    finish_one(claimed, Outcome.ERROR, error_type=text, error=text, result={text: text, "more": [text]}, permanent=True)
    Job.objects.filter(pk=job.pk).update(
        payload={text: text}, correlation_id=text, idempotency_key=text, category=text[:40]
    )
    Org.objects.filter(pk=org.pk).update(name=text)
    pause("default", scope=Scope(user, org, Role.ORG_ADMIN), reason=text)
    return job


def shape(page: Element) -> list[Any]:
    """Every element with the names of its attributes, in order."""
    return [(one.tag, sorted(one.attributes)) for one in page.walk()]


def pages_of(user: User, job: Job) -> dict[str, Element]:
    client = browser(user)
    paths = ["/jobs/", f"/jobs/{job.pk}/", "/dead-letters/", "/dead-letters/replay/", "/queues/", "/audit/"]
    paths += [f"/jobs/submit/?from={job.pk}"]
    return {path.replace(str(job.pk), "id"): read(client.get(path)) for path in paths}


def pages_with(text: str) -> dict[str, Element]:
    org = make_org()
    owner = make_member(org, Role.ORG_ADMIN)
    return pages_of(owner, make_hostile(org, owner, text))


@pytest.mark.parametrize("text", HOSTILE)
def test_stored_text_adds_no_element_and_no_attribute(text: str) -> None:
    hostile, harmless = (pages_with(value) for value in (text, like(text)))

    for path, page in hostile.items():
        assert shape(page) == shape(harmless[path])
    for page in hostile.values():
        links = [one.attributes.get(name, "/") for one in page.walk() for name in ("href", "src", "action", "hx-get")]
        assert all(link.startswith(("/", "#")) for link in links)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_an_address_adds_no_element_and_no_attribute(world: World, text: str) -> None:
    make_job(world.org)
    client = browser(world.owner)

    def asked(value: str) -> list[Any]:
        names = ("q", "status", "type", "queue", "creator", "error_type", "correlation_id", "sort", "cursor")
        return [shape(read(client.get(path, {name: value}))) for path in ("/jobs/", "/dead-letters/") for name in names]

    assert asked(text) == asked(like(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_refused_form_shows_what_was_typed_as_text(world: World, text: str) -> None:
    client = browser(world.owner)

    def refused(value: str) -> list[Any]:
        fields = {"type": "python", "task": value, "kwargs": value, "title": value, "queue": "?", "once": value[:64]}
        return shape(read(client.post("/jobs/submit/", fields)))

    assert refused(text) == refused(like(text))


def test_commands_to_a_terminal_and_turned_text_are_taken_out_of_logs_and_errors(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    text = "a\x1b[31mred\x1b[0m\x1b]0;title\x07 b\u202ec\x08d\te"
    line = {"token": str(claimed.token), "sequence": 1, "stream": "stdout", "text": text, "age_seconds": 0}
    report(lines=[line], progress=[])
    finish_one(claimed, Outcome.ERROR, error_type="E", error=text, permanent=True)

    page = read(browser(world.viewer).get(f"/jobs/{claimed.job_id}/"))

    shown = [one.raw for one in page.by_id("attempt-1").all("pre")]
    assert shown[0] == "ared b\ufffdc\ufffdd\te"
    assert shown[1].strip().endswith("ared b\ufffdc\ufffdd\te")
