"""/limits/: what an organisation allows at most, and the key by which jobs share it."""

from typing import Any
from urllib.parse import quote

import pytest
from django.db.models.functions import Now
from rest_framework.test import APIClient

from jobs.models import Job, Limit, LimitBucket, Ready
from jobs.queue import limit_control
from jobs.queue.claim import Ask, Claimed
from jobs.queue.limits import Walk, claim_limited
from orgs.models import AuditEntry
from orgs.roles import Role
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import WORKER, api, claim_all, finish_one, make_job, make_member, make_org
from tests.jobs.api.refusals import ADD, JOBS, assert_refused

pytestmark = pytest.mark.django_db

LIMITS = "/api/v1/limits/"
ONE = {"max_running": 1}
RATE = {"rate_count": 6, "rate_seconds": 3600.0, "burst": 3}
NONE_SET = {"max_running": None, "rate_count": None, "rate_seconds": None, "burst": None}


def path_of(scope: str, name: str) -> str:
    return f"{LIMITS}{quote(scope, safe='')}/{quote(name, safe='*/')}/"


def put(client: APIClient, scope: str, name: str, **values: Any) -> Any:
    response = client.put(path_of(scope, name), values)
    assert response.status_code in (200, 201), response.content
    return response.json()


def listed(client: APIClient) -> dict[tuple[str, str], dict[str, Any]]:
    items = client.get(LIMITS, {"limit": 200}).json()["items"]
    return {(item["scope"], item["name"]): item for item in items}


def take(slots: int = 100) -> list[Claimed]:
    return claim_limited(Ask("default", ("http", "python", "shell"), slots, WORKER, "tester-1"), Walk())


def kept() -> list[Any]:
    """All that a refused call could have changed."""
    told = AuditEntry.objects.exclude(action="access.denied").count()
    return [told, *Limit.objects.order_by("pk").values(), *Ready.objects.order_by("pk").values()]


# --- Set, see, remove -------------------------------------------------------------------------------------------


def test_a_limit_is_set_and_then_replaced_as_a_whole(world: World) -> None:
    client = api(world.owner)

    first = client.put(path_of("type", "python"), {"max_running": 2})
    second = client.put(path_of("type", "python"), RATE)

    assert (first.status_code, second.status_code) == (201, 200)
    created = first.json()["created_at"]
    shared = {"scope": "type", "name": "python", "running": 0, "created_at": created}
    assert first.json() == {**NONE_SET, **shared, "max_running": 2, "tokens": None}
    assert second.json() == {**NONE_SET, **shared, **RATE, "tokens": 3.0}
    assert list(listed(api(world.viewer)).values()) == [second.json()]


@pytest.mark.parametrize(
    ("scope", "name"), [("org", "*"), ("queue", "mail-2"), ("type", "http"), ("key", "*"), ("key", "customer 7")]
)
def test_each_scope_takes_its_names(world: World, scope: str, name: str) -> None:
    put(api(world.owner), scope, name, **ONE)

    assert listed(api(world.viewer)).keys() == {(scope, name)}


def test_without_a_burst_it_is_as_many_as_the_rate(world: World) -> None:
    assert put(api(world.owner), "key", "k", rate_count=7, rate_seconds=1)["burst"] == 7


def test_null_is_as_if_left_out(world: World) -> None:
    shown = put(api(world.owner), "key", "k", max_running=0, rate_count=None, rate_seconds=None, burst=None)

    assert (shown["max_running"], shown["rate_count"], shown["tokens"]) == (0, None, None)


def test_a_limit_shows_what_runs_under_it_and_the_tokens_left(world: World) -> None:
    client = api(world.owner)
    put(client, "key", "a", max_running=5, **RATE)
    put(client, "key", "*", **RATE)
    put(client, "org", "*", max_running=9)
    put(client, "type", "http", max_running=9, **RATE)
    for key in ("a", "a", "b", "c", ""):
        make_job(world.org, limit_key=key)
    make_job(world.rival, limit_key="a")
    claims = take()
    assert len(claims) == 5
    LimitBucket.objects.update(refilled_at=Now())

    shown = listed(api(world.viewer))

    assert {about: limit["running"] for about, limit in shown.items()} == {
        ("key", "a"): 2,
        ("key", "*"): 2,
        ("org", "*"): 5,
        ("type", "http"): 0,
    }
    assert shown["key", "a"]["tokens"] == pytest.approx(1.0, abs=0.5)
    assert shown["key", "*"]["tokens"] is None  # each key has its own
    assert shown["type", "http"]["tokens"] == 3.0
    finish_one(next(one for one in claims if Job.objects.get(pk=one.job_id).limit_key == "a"))
    assert put(client, "key", "a", max_running=4)["running"] == 1


@pytest.mark.parametrize(
    "key",
    ["tenant/7", "/", "//a", "a/", "a/b/c/d", "größe ✓ 漢字", "a b", "100%", "%2F", "?x=1&y#z", "..", "\x01", "x" * 64],
)
def test_a_key_with_anything_in_it_comes_back_as_it_was_and_counts(world: World, key: str) -> None:
    client = api(world.owner)
    assert put(client, "key", key, **ONE)["name"] == key
    submitted = [client.post(JOBS, {**ADD, "limit_key": key}).json()["limit_key"] for _ in range(2)]

    assert submitted == [key, key]
    assert len(take()) == 1
    assert listed(client)["key", key]["running"] == 1
    assert client.delete(path_of("key", key)).status_code == 204
    assert not Limit.objects.exists()


def test_a_removed_limit_is_gone_and_what_it_held_back_may_start(world: World) -> None:
    client = api(world.owner)
    put(client, "queue", "default", max_running=0)
    make_job(world.org)
    assert claim_all() == take() == []

    assert client.delete(path_of("queue", "default")).status_code == 204

    assert len(claim_all()) == 1
    assert listed(client) == {}
    assert_refused(client.delete(path_of("queue", "default")), 404)


def test_the_limits_of_an_organisation_are_listed_by_pages(world: World) -> None:
    client, viewer = api(world.owner), api(world.viewer)
    names = ["b", "c", "a", "e", "d"]
    for name in names:
        put(client, "key", name, **ONE)

    pages: list[list[str]] = []
    query: dict[str, Any] = {"limit": 2}
    for _ in range(3):
        page = viewer.get(LIMITS, query).json()
        pages.append([item["name"] for item in page["items"]])
        query["cursor"] = page["next_cursor"]

    assert pages == [["b", "c"], ["a", "e"], ["d"]]
    assert query["cursor"] is None
    assert_refused(viewer.get(LIMITS, {"cursor": "x"}), 400)
    assert_refused(viewer.get(LIMITS, {"scope": "key"}), 400)


def test_a_list_of_limits_takes_no_query_more_for_more(world: World, django_assert_max_num_queries: Any) -> None:
    for name in ("a", "b", "c"):
        put(api(world.owner), "key", name, max_running=2, **RATE)
    client = api(world.viewer)
    with django_assert_max_num_queries(20) as one:
        client.get(LIMITS, {"limit": 1})

    with django_assert_max_num_queries(len(one)):
        assert len(client.get(LIMITS).json()["items"]) == 3


def test_a_limit_that_is_removed_while_it_is_listed_breaks_no_list(world: World) -> None:
    limits = [Limit.objects.create(org=world.org, scope="key", name=name, **RATE) for name in ("a", "b")]
    Limit.objects.filter(name="a").delete()

    shown = limit_control.with_use(limits, world.org)

    assert [(limit.name, limit.running, limit.tokens) for limit in shown] == [("a", 0, None), ("b", 0, 3.0)]


# --- What is refused --------------------------------------------------------------------------------------------


def wrong(field: str, *values: Any, good: dict[str, Any] = RATE) -> list[tuple[dict[str, Any], str]]:
    return [({**good, field: value}, f"/{field}") for value in values]


HUGE = 1_000_001
BAD_BODIES: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    (NONE_SET, ""),
    *wrong("max_runing", 1, good=ONE),
    *wrong("name", "k", good=ONE),
    *wrong("max_running", -1, HUGE, 2**31, 2**63, 10**399, 1.0, 0.5, "1", "１", True, [], good={}),
    *wrong("rate_count", 0, -1, HUGE, 2**63, 1.0, "1", False, {}),
    *wrong("burst", 0, -1, HUGE, 2**63, 1.5, "1", True),
    *wrong("rate_seconds", 0, -1, 0.0009, -0.0, 31 * 86_400 + 1, 1e300, 10**399, "60", True, [60]),
    ({"rate_count": 1}, "/rate_seconds"),
    ({"rate_count": 1, "rate_seconds": None}, "/rate_seconds"),
    ({**ONE, "rate_seconds": 60}, "/rate_count"),
    ({**ONE, "burst": 5}, "/rate_count"),
]


@pytest.mark.parametrize(
    ("body", "pointer"), BAD_BODIES, ids=[f"{where}-{n}" for n, (_, where) in enumerate(BAD_BODIES)]
)
def test_values_that_are_no_limit_are_refused_and_change_nothing(
    world: World, body: dict[str, Any], pointer: str
) -> None:
    client = api(world.owner)
    put(client, "key", "old", max_running=5)
    make_job(world.org, limit_key="old")
    before = kept()

    answers = [assert_refused(client.put(path_of("key", name), body)) for name in ("old", "new")]

    assert [[error["pointer"] for error in answer["errors"]] for answer in answers] == [[pointer]] * 2
    assert kept() == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "", "[", "0x1"])
@pytest.mark.parametrize("field", ["max_running", "rate_seconds"])
def test_a_number_that_json_has_not_is_refused(world: World, field: str, number: str) -> None:
    body = f'{{"rate_count": 1, "rate_seconds": 1, "max_running": 1, "{field}": {number}}}'.replace(
        f'"{field}": 1, ', ""
    )

    assert_refused(api(world.owner).generic("PUT", path_of("key", "k"), body, content_type="application/json"))

    assert not Limit.objects.exists()


BAD_NAMES = [
    *[(scope, "*") for scope in ("queue", "type")],
    *[("org", name) for name in ("acme", "**", "rival")],
    *[("queue", name) for name in ("Mail", "-a", "a b", "a/b", "ü", "a" * 41, "a\x00")],
    *[("type", name) for name in ("pyhton", "Python", "os.system", "etl ", "python/", "python\x00")],
    *[("key", name) for name in ("x" * 65, "é" * 65, "a\x00b", "\x00", "x" * 1000)],
    *[(scope, "python") for scope in ("Type", "types", "name", "id", "__class__", "type\x00", "\x00", "t" * 1000)],
]


@pytest.mark.parametrize(("scope", "name"), BAD_NAMES, ids=[f"{n}" for n in range(len(BAD_NAMES))])
def test_a_name_that_nothing_can_have_is_refused_and_not_found(world: World, scope: str, name: str) -> None:
    client = api(world.owner)
    before = kept()

    problem = assert_refused(client.put(path_of(scope, name), ONE))
    assert_refused(client.delete(path_of(scope, name)), 404)

    (error,) = problem["errors"]
    assert error["pointer"] in ("/scope", "/name")
    assert kept() == before


def test_a_key_too_long_for_a_limit_is_too_long_for_a_job(world: World) -> None:
    longest = "é" * 64
    put(api(world.owner), "key", longest, **ONE)
    assert api(world.operator).post(JOBS, {**ADD, "limit_key": longest}).status_code == 201

    problem = assert_refused(api(world.operator).post(JOBS, {**ADD, "limit_key": longest + "é"}))

    assert [error["pointer"] for error in problem["errors"]] == ["/limit_key"]


@pytest.mark.parametrize("tail", ["type/", "type", "type//", "/python/", "/"])
def test_a_path_without_scope_or_name_is_not_there(world: World, tail: str) -> None:
    client = api(world.owner)
    put(client, "type", "python", **ONE)

    assert_refused(client.put(LIMITS + tail, {"max_running": 2}), 404)
    assert_refused(client.delete(LIMITS + tail), 404)

    assert Limit.objects.get().max_running == 1


def test_an_organisation_has_no_more_limits_than_it_may(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit_control, "MOST_LIMITS", 2)
    client = api(world.owner)
    put(client, "key", "a", **ONE)
    put(client, "key", "b", **ONE)
    before = kept()

    problem = assert_refused(client.put(path_of("key", "c"), ONE))

    assert "at most 2 limits" in problem["errors"][0]["detail"]
    assert kept() == before
    assert client.put(path_of("key", "a"), {"max_running": 2}).status_code == 200
    assert api(world.outsider).put(path_of("key", "c"), ONE).status_code == 201


# --- Who may ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["operator", "viewer"])
@pytest.mark.parametrize("name", ["k", "new", "a\x00b"])
def test_only_who_manages_limits_may_change_them(world: World, role: str, name: str) -> None:
    put(api(world.owner), "key", "k", **ONE)
    before = kept()
    client = api(world.people()[role])

    assert_refused(client.put(path_of("key", name), {"max_running": 2}), 403)
    assert_refused(client.delete(path_of("key", name)), 403)

    assert kept() == before
    assert listed(client).keys() == {("key", "k")}


def test_anothers_limit_is_neither_seen_nor_removed(world: World) -> None:
    put(api(world.owner), "key", "k", **ONE)
    outsider, before = api(world.outsider), kept()

    assert listed(outsider) == {}
    theirs = assert_refused(outsider.delete(path_of("key", "k")), 404)
    nobodys = assert_refused(outsider.delete(path_of("key", "none")), 404)
    assert theirs["detail"] == nobodys["detail"]
    assert_refused(api(world.outsider, world.org).put(path_of("key", "k"), {"max_running": 2}), 404)
    assert kept() == before

    put(outsider, "key", "k", max_running=7)
    assert {limit.org_id: limit.max_running for limit in Limit.objects.all()} == {world.org.pk: 1, world.rival.pk: 7}


def test_what_changes_is_audited_with_what_was_and_what_is(world: World) -> None:
    client = api(world.owner)
    put(client, "key", "a/b", max_running=2)
    put(client, "key", "a/b", **RATE)
    client.delete(path_of("key", "a/b"), headers={"X-Correlation-ID": "c-9"})

    entries = AuditEntry.objects.filter(action__startswith="limit.").order_by("pk")

    two, rate = {**NONE_SET, "max_running": 2}, {**NONE_SET, **RATE}
    assert [(entry.action, entry.detail) for entry in entries] == [
        ("limit.set", {"old": None, "new": two}),
        ("limit.set", {"old": two, "new": rate}),
        ("limit.remove", {"old": rate, "new": None}),
    ]
    assert {(entry.org_id, entry.actor_name, entry.target, entry.address) for entry in entries} == {
        (world.org.pk, "owner", "key:a/b", "127.0.0.1")
    }
    assert entries[2].correlation_id == "c-9"


@pytest.mark.django_db(transaction=True)
def test_two_who_set_one_limit_at_once_follow_each_other() -> None:
    org = make_org()
    clients = [api(make_member(org, Role.ORG_ADMIN)) for _ in range(4)]

    calls = [
        lambda client=client, n=n: client.put(path_of("key", "k"), {"max_running": n})
        for n, client in enumerate(clients)
    ]
    statuses = sorted(response.status_code for response in at_once(*calls))

    details = AuditEntry.objects.filter(action="limit.set").order_by("pk").values_list("detail", flat=True)
    assert statuses == [200, 200, 200, 201]
    assert [detail["old"] for detail in details] == [None, *[detail["new"] for detail in details][:-1]]


# --- Jobs under them --------------------------------------------------------------------------------------------


def test_a_job_shows_its_key_wherever_it_is_shown(world: World) -> None:
    client = api(world.operator)
    first = client.post(JOBS, {**ADD, "limit_key": "k/1"}).json()
    bulk = client.post(f"{JOBS}bulk/", {"jobs": [{**ADD, "limit_key": "k/2"}, ADD]}).json()["items"]
    ids = [first["id"], *[item["id"] for item in bulk]]

    shown = {job["id"]: job["limit_key"] for job in client.get(JOBS).json()["items"]}

    assert first["limit_key"] == "k/1"
    assert [client.get(f"{JOBS}{job_id}/").json()["limit_key"] for job_id in ids] == ["k/1", "k/2", ""]
    assert [shown[job_id] for job_id in ids] == ["k/1", "k/2", ""]


def test_jobs_of_a_batch_have_keys_too(world: World) -> None:
    put(api(world.owner), "key", "k", **ONE)
    made = api(world.operator).post("/api/v1/batches/", {"jobs": [{**ADD, "limit_key": "k"}] * 2}).json()

    listed = api(world.viewer).get(made["jobs_url"]).json()["items"]

    assert [job["limit_key"] for job in listed] == ["k", "k"]
    assert len(take()) == 1


def test_jobs_that_waited_before_a_limit_was_set_come_under_it(world: World) -> None:
    for _ in range(2):
        assert api(world.operator).post(JOBS, {**ADD, "limit_key": "k"}).status_code == 201
    put(api(world.owner), "key", "k", **ONE)

    claims = [*take(), *claim_all(), *take()]

    assert len(claims) == 1
    assert finish_one(claims[0])
    assert len(take()) == 1


def test_many_that_waited_come_under_a_limit_batch_by_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit_control, "MARK_BATCH", 2)
    for _ in range(5):
        make_job(world.org)
    marked = Ready.objects.filter(limit_key="")

    put(api(world.owner), "org", "*", **ONE)
    counts = [marked.count()]
    while limit_control.keep_marked():
        counts.append(marked.count())

    assert counts == [2, 4]
    assert marked.count() == 5


def test_a_job_that_no_limit_is_left_for_waits_among_those_without(world: World) -> None:
    client = api(world.owner)
    put(client, "key", "k", **ONE)
    put(client, "type", "python", max_running=5)
    make_job(world.org, limit_key="k")

    client.delete(path_of("key", "k"))
    assert Ready.objects.get().limit_key == "k"  # the type has a limit still
    client.delete(path_of("type", "python"))

    assert Ready.objects.get().limit_key is None


def test_a_new_limit_counts_what_runs_already(world: World) -> None:
    make_job(world.org, limit_key="k")
    assert len(claim_all()) == 1

    shown = put(api(world.owner), "key", "k", **ONE)
    make_job(world.org, limit_key="k")

    assert shown["running"] == 1
    assert take() == []
