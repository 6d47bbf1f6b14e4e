"""Lists that find their jobs by words show what they would show if they looked at each job."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import listing
from jobs.listing import SORTS, Count, Filters, Finder, Sort, counted, narrowed, page
from jobs.models import Attempt, Job, SearchEntry, SearchFacet
from jobs.search import find
from jobs.search.index import index
from jobs.search.language import NotUnderstood, parse
from jobs.states import Outcome, Status
from orgs import walls
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_dead_letter, make_done, make_job
from tests.jobs.search.following import index_all

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def narrow_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pages look at one by one is next to nothing, so that words have to find it."""
    monkeypatch.setattr(find, "WINDOW", 1)
    monkeypatch.setattr(find, "CLOCK_SLACK", timedelta())
    monkeypatch.setattr(find, "FOUND_FIRST", 2)


def make_some(world: World) -> dict[str, Job]:
    """Jobs that differ in all that lists are narrowed to; the newest has nothing of it."""
    make_done(world.rival, name="nightly-import", tags=["eu"])
    found = {
        "done": make_done(world.org, name="nightly-import", user=world.operator, tags=["eu", "v2"]),
        "failed": make_dead_letter(world.org, title="Export 50% of_rows", queue="reports"),
        "sent": make_job(
            world.org,
            type="http",
            payload={"url": "https://example.com/a?b=1", "json": {"plan": "pro", "seats": 12, "list": [1, "x"]}},
            urgency="high",
        ),
        "said": make_job(world.org, description="Ask Ada first, please", category="Database", delay_seconds=600),
    }
    Job.objects.filter(pk=found["done"].pk).update(result={"count": 7, "ok": True, "none": None}, runtime_ms=1234.5)
    Job.objects.filter(pk=found["sent"].pk).update(life=2, attempt=5)
    for _ in range(3):
        make_job(world.org, name="beside", delay_seconds=60)
    index_all()
    return found


NOW = timezone.now()
CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"type": "http"}, {"sent"}),
    ({"queue": "reports"}, {"failed"}),
    ({"urgency": "high"}, {"sent"}),
    ({"category": "Database"}, {"said"}),
    ({"creator": "OPERATOR"}, {"done"}),
    ({"creator": "nobody"}, set()),
    ({"name": "nightly-import"}, {"done"}),
    ({"error_type": "ValueError"}, {"failed"}),
    ({"tag": "eu"}, {"done"}),
    ({"tag": "eu", "name": "nightly-import", "statuses": (Status.DONE,)}, {"done"}),
    ({"worker": "tester-1"}, {"done", "failed"}),
    ({"worker": "tester"}, set()),
    ({"replayed": True}, {"sent"}),
    ({"attempts_min": 5}, {"sent"}),
    ({"attempts_min": 1, "attempts_max": 1}, {"done", "failed"}),
    ({"attempts_min": 2, "attempts_max": 1}, set()),
    ({"runtime_min_ms": 1234, "runtime_max_ms": 1235}, {"done"}),
    ({"runtime_min_ms": 1235}, set()),
    ({"finished_after": NOW - timedelta(days=1)}, {"done", "failed"}),
    ({"finished_after": NOW - timedelta(days=3), "finished_before": NOW - timedelta(days=1)}, set()),
    ({"statuses": (Status.FAILED,)}, {"failed"}),
    ({"statuses": (Status.DONE, Status.FAILED)}, {"done", "failed"}),
    ({"text": "ASK"}, {"said"}),
    ({"text": "ada ask"}, {"said"}),
    ({"text": '"Ask Ada"'}, {"said"}),
    ({"text": '"Ada Ask"'}, set()),
    ({"text": "50%"}, {"failed"}),
    ({"text": "brok"}, {"failed"}),
    ({"text": "payload.json.plan:pro"}, {"sent"}),
    ({"text": 'payload.json.plan:"pro"'}, {"sent"}),
    ({"text": "payload.json.plan:free"}, set()),
    ({"text": "payload.json.seats:12"}, {"sent"}),
    ({"text": "payload.json.seats:12.0"}, {"sent"}),
    ({"text": 'payload.json.seats:"12"'}, set()),
    ({"text": "payload.json.seats:>11"}, {"sent"}),
    ({"text": "payload.json.seats:>=12 payload.json.seats:<13"}, {"sent"}),
    ({"text": "payload.json.seats:<12"}, set()),
    ({"text": "payload.json.list:x"}, {"sent"}),
    ({"text": "payload.json.list:1"}, {"sent"}),
    ({"text": "result.count:7 nightly"}, {"done"}),
    ({"text": "result.ok:true"}, {"done"}),
    ({"text": "result.ok:1"}, set()),
    ({"text": "result.none:null"}, {"done"}),
]


@pytest.mark.parametrize(
    ("asked", "expected"), CASES, ids=[" ".join(asked) + str(n) for n, (asked, _) in enumerate(CASES)]
)
def test_words_find_what_conditions_hold_of(world: World, asked: dict[str, Any], expected: set[str]) -> None:
    some = make_some(world)
    filters = Filters(**asked)
    finder = Finder(world.org.pk, filters)

    by_words = set(finder.ids(most=100))
    plain = set(narrowed(Job.objects.for_org(world.org), filters).values_list("pk", flat=True))

    assert plain == {some[name].pk for name in expected}
    # it may find more: these are asked once more
    assert plain <= by_words <= set(Job.objects.for_org(world.org).values_list("pk", flat=True))
    if "finished_after" not in asked:
        assert len(by_words) <= len(plain) + 1


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("word", SORTS)
def test_a_page_is_the_same_with_words_and_without(
    world: World, word: str, descending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_some(world)
    sort = Sort(word, descending)
    for asked, _ in CASES:
        filters = Filters(**asked)
        jobs = narrowed(Job.objects.for_org(world.org), filters)

        expected = walk(jobs, sort, None)
        for counts in (False, True):
            for most in (2, 100):
                monkeypatch.setattr(find, "COUNTED", most)
                monkeypatch.setattr(listing, "COUNTED", most)
                assert walk(jobs, sort, Finder(world.org.pk, filters, counts=counts)) == expected, (asked, counts, most)


def walk(jobs: Any, sort: Sort, finder: Finder | None) -> list[object]:
    """Page after page, one job a page."""
    seen: list[object] = []
    cursor = ""
    while True:
        one = page(jobs, size=1, sort=sort, cursor=cursor, finder=finder)
        seen += [job.pk for job in one.jobs]
        if one.next_cursor is None:
            return seen
        cursor = one.next_cursor


@pytest.mark.parametrize("descending", [True, False])
def test_jobs_that_have_no_words_yet_are_looked_at_one_by_one(world: World, descending: bool) -> None:
    old = [make_job(world.org, name="wanted", delay_seconds=9) for _ in range(3)]
    make_job(world.org, delay_seconds=9)
    index_all()
    new = [make_job(world.org, name="wanted", delay_seconds=9) for _ in range(3)]
    make_job(world.org, delay_seconds=9)
    filters = Filters(name="wanted")
    jobs = narrowed(Job.objects.for_org(world.org), filters)

    seen = walk(jobs, Sort(descending=descending), Finder(world.org.pk, filters))

    expected = [job.pk for job in [*old, *new]]
    assert seen == (expected[::-1] if descending else expected)
    assert counted(jobs, Finder(world.org.pk, filters)) == Count(6, True)


def test_what_runs_is_known_to_the_moment(world: World) -> None:
    job = make_job(world.org)
    make_job(world.org, queue="other")
    index_all()
    claim_all()
    filters = Filters(statuses=(Status.RUNNING,))

    found = page(
        narrowed(Job.objects.for_org(world.org).with_state(), filters), size=5, finder=Finder(world.org.pk, filters)
    )

    assert [one.pk for one in found.jobs] == [job.pk]


def test_an_error_is_found_by_its_fingerprint_until_it_is_sent_back(world: World) -> None:
    one, other = (fail(world, f"no row {number} in 'orders-{number}'") for number in (4, 17))
    fail(world, "another matter")
    index_all()
    marks = {entry.job_id: entry.error_fingerprint for entry in SearchEntry.objects.filter(org_id=world.org.pk)}
    assert marks[one.pk] == marks[other.pk]
    filters = Filters(fingerprint=marks[one.pk])
    jobs = narrowed(Job.objects.for_org(world.org), filters)

    found = page(jobs, size=5, finder=Finder(world.org.pk, filters))

    assert [job.pk for job in found.jobs] == [other.pk, one.pk]


def fail(world: World, error: str) -> Job:
    job = make_job(world.org)
    (claimed,) = claim_all()
    assert finish_one(claimed, Outcome.ERROR, error_type="LookupError", error=error, permanent=True)
    return job


def test_hidden_values_and_others_documents_make_no_words(world: World) -> None:
    payload = {"url": "https://example.com/", "headers": {"Authorization": "hunter1", "accept": "hunter2"}}
    make_job(world.org, type="http", payload=payload)
    index_all()

    def count(text: str, org: Any = world.org) -> int:
        return len(Finder(org.pk, Filters(text=text)).ids(most=5))

    assert count("payload.headers.accept:hunter2") == 1
    assert count("payload.headers.accept:hunter2", world.rival) == 0
    assert count("hunter1") == 0
    words = SearchEntry.objects.get().words
    assert "hunter" not in words


def test_behind_the_wall_nobody_finds_by_words_of_others(world: World) -> None:
    make_done(world.org, name="mine")
    make_done(world.rival, name="mine")
    index_all()
    with walls.raised():
        walls.enter(world.org.pk)
        own, others = (Finder(org.pk, Filters(name="mine")) for org in (world.org, world.rival))

        assert len(own.ids(most=5)) == 1
        assert own.most.about >= 1
        assert others.ids(most=5) == []
        assert (others.most.about, others.most.every) == (0, "{}")
        assert not SearchEntry.objects.exclude(org_id=world.org.pk).exists()


def test_counts_are_exact_up_to_a_number_and_then_about_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        make_job(world.org, name="many", delay_seconds=9)
    make_job(world.org, delay_seconds=9)
    index_all()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_searchentry")
    filters = Filters(name="many")
    jobs, finder = narrowed(Job.objects.for_org(world.org), filters), Finder(world.org.pk, filters)

    assert counted(jobs, finder) == Count(6, True)
    for module in (listing, find):
        monkeypatch.setattr(module, "COUNTED", 4)
    finder = Finder(world.org.pk, filters)
    assert counted(jobs, finder) == Count(6, False)


def test_words_go_with_their_job_and_are_made_anew_when_it_moves(world: World) -> None:
    job = make_job(world.org)
    index([job.pk, uuid4()])
    assert SearchEntry.objects.count() == 1
    before = SearchEntry.objects.get().words
    (claimed,) = claim_all()
    finish_one(claimed)
    index([job.pk])
    assert SearchEntry.objects.get().words != before
    assert set(SearchFacet.objects.values_list("kind", "value")) == {("name", "demo.add"), ("worker", "tester-1")}
    assert Attempt.objects.count() == 1


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60) | st.text(alphabet='payload.result:<>=" \\a1e5-true', max_size=60))
def test_no_search_is_too_much_for_the_database(db: None, text: str) -> None:
    text = text.replace("\0", "")
    try:
        search = parse(text)
    except NotUnderstood:
        return
    list(narrowed(Job.objects.all(), Filters(text=text))[:1])
    finder = Finder(1, Filters(text=text))
    assert (finder.wanted is None) == (not search.terms)
    if finder.wanted is not None:
        finder.ids(most=1)
