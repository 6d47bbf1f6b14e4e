"""How often who may ask: register, sign in, refresh, invite, submit, and anything else."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from jobs.models import Job
from jobs.queue.upkeep import forget_rates
from orgs import buckets
from orgs.buckets import Rate, Take
from orgs.keys import create_key
from orgs.models import RateBucket, User
from orgs.scope import find_scope
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import PASSWORD, api, browser

pytestmark = pytest.mark.django_db

LOGIN = "/api/v1/auth/login/"
JOB = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
# None comes back while a test runs.
HOUR = 3600.0


def statuses(calls: Iterator[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in calls)


def login(client: APIClient, username: str = "owner", password: str = "wrong", **extra: Any) -> Any:  # noqa: S107
    return client.post(LOGIN, {"username": username, "password": password}, **extra)


def assert_refused(answer: Any, *policies: str) -> None:
    body = answer.json()
    assert answer.status_code == 429
    assert answer["Content-Type"] == "application/problem+json"
    assert body["type"] == "urn:smartqueue:problem:quota_exceeded"
    assert body["violated-policies"] == list(policies)
    assert int(answer["Retry-After"]) >= 1
    assert answer["Retry-After"] in body["detail"]


# --- Signing in -------------------------------------------------------------------------------------------------


def test_the_eleventh_try_in_five_minutes_is_refused_whoever_makes_it(world: World, settings: Settings) -> None:
    settings.ACCOUNT_LOGIN_RATE = (10, 300.0, 10)
    tries = [login(api(), "OWNER"[: n % 2] + "owner"[n % 2 :], REMOTE_ADDR=f"192.0.2.{n}") for n in range(11)]

    assert [answer.status_code for answer in tries] == [401] * 10 + [429]
    assert_refused(tries[-1], "account-logins")
    assert 1 <= int(tries[-1]["Retry-After"]) <= 30
    # not even with the right password; others are not concerned
    assert login(api(), password=PASSWORD, REMOTE_ADDR="192.0.2.99").status_code == 429
    assert login(api(), "viewer", PASSWORD).status_code == 200


def test_an_unknown_name_is_refused_as_a_known_one_is(world: World, settings: Settings) -> None:
    settings.ACCOUNT_LOGIN_RATE = (2, HOUR, 2)

    known, unknown = ([login(api(), name) for _ in range(3)][-1].json() for name in ("owner", "nobody"))

    for body in (known, unknown):
        del body["request_id"]
    assert known == unknown
    assert login(api(), "\0\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")).status_code in {
        400,
        401,
    }


def test_a_flood_of_sign_ins_costs_no_hash(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LOGIN_RATE = (10, HOUR, 10)
    hashed: list[str] = []
    right = hashers.MD5PasswordHasher.encode

    def counted(self: Any, password: str, salt: str) -> str:
        hashed.append(password)
        return right(self, password, salt)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", counted)

    found = statuses(login(api(), f"name{n}") for n in range(50))

    assert found == {401: 10, 429: 40}
    assert len(hashed) == 10


def test_who_knows_the_password_may_sign_in_as_often_as_he_likes(world: World, settings: Settings) -> None:
    settings.ACCOUNT_LOGIN_RATE = (2, HOUR, 2)

    assert statuses(login(api(), password=PASSWORD) for _ in range(5)) == {200: 5}
    login(api())
    assert statuses(login(api(), password=PASSWORD) for _ in range(5)) == {200: 5}


def test_a_thousand_forged_addresses_are_one_client(world: World, settings: Settings) -> None:
    settings.LOGIN_RATE = (10, HOUR, 10)

    found = statuses(
        login(api(), f"name{n}", headers={"X-Forwarded-For": f"10.{n // 250}.{n % 250}.1, 192.0.2.{n % 250}"})
        for n in range(1_000)
    )

    assert found == {401: 10, 429: 990}


def test_behind_a_proxy_each_client_counts_by_himself(world: World, settings: Settings) -> None:
    settings.LOGIN_RATE = (2, HOUR, 2)
    settings.TRUSTED_PROXIES = 1

    one = statuses(login(api(), headers={"X-Forwarded-For": f"10.0.0.{n}, 192.0.2.1"}) for n in range(4))
    household = statuses(login(api(), headers={"X-Forwarded-For": f"2001:db8::{n}"}) for n in range(4))

    assert one == household == {401: 2, 429: 2}


def test_the_page_and_the_api_take_from_one_bucket(world: World, settings: Settings) -> None:
    settings.LOGIN_RATE = (3, HOUR, 3)
    page = Client()
    sent = {"username": "owner", "password": "wrong"}

    tries = [page.post("/sign-in/", sent), login(api()), page.post("/sign-in/", sent), page.post("/sign-in/", sent)]

    assert [answer.status_code for answer in tries] == [422, 401, 422, 429]
    assert "Too many requests. Try again in" in tries[-1].content.decode()
    assert int(tries[-1]["Retry-After"]) >= 1
    assert "wrong" not in tries[-1].content.decode()
    assert_refused(login(api()), "logins")


def test_the_present_password_is_not_guessed_with_a_token(world: World, settings: Settings) -> None:
    settings.ACCOUNT_LOGIN_RATE = (3, HOUR, 3)
    sent = {"current_password": "wrong", "new_password": "quite another one 7"}
    client = api(world.owner)

    assert client.post("/api/v1/auth/password/", sent).status_code == 400
    browser(world.owner).post("/profile/", {"form": "password", **sent})
    assert login(api()).status_code == 401
    assert_refused(client.post("/api/v1/auth/password/", sent), "account-logins")
    assert browser(world.owner).post("/profile/", {"form": "password", **sent}).status_code == 429


# --- Registering, refreshing, inviting --------------------------------------------------------------------------


def test_the_sixth_registration_is_refused_and_names_are_not_tried_out(world: World, settings: Settings) -> None:
    settings.REGISTER_RATE = (5, HOUR, 5)
    client, sent = api(), {"email": "a@example.com", "password": "note G, 1843"}
    names = ["fresh1", "owner", "fresh2"]
    page = {"username": "owner", **sent}

    found = [client.post("/api/v1/auth/register/", {"username": name, **sent}).status_code for name in names]
    pages = [Client().post("/sign-up/", page) for _ in range(3)]

    assert found == [201, 400, 201]
    assert [answer.status_code for answer in pages] == [422, 422, 429]
    assert "taken" in pages[0].content.decode()
    assert "taken" not in pages[-1].content.decode()
    assert_refused(client.post("/api/v1/auth/register/", {"username": "owner", **sent}), "registrations")
    assert User.objects.filter(username__startswith="fresh").count() == 2


def test_refreshing_and_inviting_have_bounds(world: World, settings: Settings) -> None:
    settings.REFRESH_RATE = settings.INVITATION_RATE = (2, HOUR, 2)
    owner, path = api(world.owner), "/api/v1/orgs/acme/invitations/"

    refreshed = [api().post("/api/v1/auth/refresh/", {"refresh": "x"}) for _ in range(3)]
    invited = [owner.post(path, {"email": f"x{n}@example.com", "role": "viewer"}) for n in range(3)]

    assert [answer.status_code for answer in refreshed] == [401, 401, 429]
    assert [answer.status_code for answer in invited] == [201, 201, 429]
    assert_refused(invited[-1], "invitations")
    page = browser(world.owner).post("/members/", {"who": "y@example.com", "role": "viewer"})
    assert page.status_code == 429
    assert int(page["Retry-After"]) >= 1


# --- Submitting -------------------------------------------------------------------------------------------------


def test_jobs_are_counted_and_not_calls(world: World, settings: Settings) -> None:
    settings.USER_JOB_RATE, settings.ORG_JOB_RATE = (10, HOUR, 10), (16, HOUR, 16)
    client, other = api(world.operator), api(world.owner)

    assert client.post("/api/v1/jobs/bulk/", {"jobs": [JOB] * 8}).status_code == 200
    batch = client.post("/api/v1/batches/", {"jobs": [JOB] * 3})
    single = client.post("/api/v1/jobs/", JOB)
    assert single.status_code == 201
    assert_refused(batch, "user-jobs")
    # the batch has paid at the organisation's bucket: 8 + 3 + 1
    assert client.post("/api/v1/tasks/", JOB).status_code == 201
    assert_refused(client.post("/api/v1/jobs/", JOB), "user-jobs")
    assert other.post("/api/v1/jobs/", JOB).status_code == 201
    assert other.post("/api/v1/jobs/", JOB).status_code == 201
    assert_refused(other.post("/api/v1/jobs/", JOB), "org-jobs")
    assert Job.objects.count() == 8 + 4


def test_a_call_with_more_jobs_than_the_bucket_holds_is_let_pass_when_it_is_full(
    world: World, settings: Settings
) -> None:
    settings.USER_JOB_RATE = (3600, HOUR, 10)
    client = api(world.operator)

    assert client.post("/api/v1/jobs/bulk/", {"jobs": [JOB] * 40}).status_code == 200
    refused = client.post("/api/v1/jobs/", JOB)

    assert_refused(refused, "user-jobs")
    # 30 are owed, and one is wanted
    assert 29 <= int(refused["Retry-After"]) <= 31


@pytest.mark.parametrize("body", [{"jobs": "x"}, {"jobs": []}, [], {"jobs": {"a": 1}}, {}], ids=str)
def test_what_is_no_list_of_jobs_is_refused_as_ever_and_counts_as_one(
    world: World, settings: Settings, body: Any
) -> None:
    settings.USER_JOB_RATE = (2, HOUR, 2)
    client = api(world.operator)

    found = [client.post(path, body).status_code for path in ("/api/v1/jobs/bulk/", "/api/v1/batches/") * 2]

    assert found == [400, 400, 429, 429]


def test_the_page_that_submits_counts_too_and_keeps_what_was_typed(world: World, settings: Settings) -> None:
    settings.USER_JOB_RATE = (1, HOUR, 1)
    client = browser(world.operator)
    sent = {"type": "http", "as": "json", "queue": "default", "urgency": "medium", "once": "a"}
    sent["raw"] = '{"url": "https://example.com/typed"}'

    first, second = client.post("/jobs/submit/", sent), client.post("/jobs/submit/", {**sent, "once": "b"})

    assert (first.status_code, second.status_code) == (302, 429)
    assert "https://example.com/typed" in second.content.decode()
    assert "Too many requests" in second.content.decode()


# --- Any other call ---------------------------------------------------------------------------------------------


def test_all_other_calls_are_counted_by_person_by_key_and_by_organisation(world: World, settings: Settings) -> None:
    settings.CALL_RATE, settings.ORG_CALL_RATE = (3, HOUR, 3), (7, HOUR, 7)
    _, token = create_key("k", scope=find_scope(world.owner, "acme"))
    key = APIClient(headers={"authorization": f"Bearer {token}"})

    def listed(user: User) -> int:
        return api(user).get("/api/v1/jobs/").status_code

    assert [listed(world.viewer) for _ in range(4)] == [200, 200, 200, 429]
    assert listed(world.operator) == 200
    # a submit is counted as a job, and not as a call
    assert api(world.viewer).post("/api/v1/jobs/", JOB).status_code == 403
    assert api(world.operator).post("/api/v1/jobs/", JOB).status_code == 201
    claims = [key.post("/api/v1/worker/claims/", {}) for _ in range(4)]
    assert [answer.status_code for answer in claims][-1] == 429
    assert_refused(claims[-1], "caller", "org")
    assert listed(world.owner) == 429
    assert listed(world.outsider) == 200
    assert api(world.loner).get("/api/v1/auth/me/").status_code == 200


def test_the_headers_say_what_is_left(world: World, settings: Settings) -> None:
    settings.CALL_RATE, settings.ORG_CALL_RATE = (36, HOUR, 1000), (6, HOUR, 6)
    client = api(world.viewer)

    client.get("/api/v1/jobs/")
    answer = client.get("/api/v1/jobs/")

    assert answer["RateLimit-Policy"] == '"caller";q=36;w=3600, "org";q=6;w=3600'
    assert re.fullmatch(r'"caller";r=998;t=(200|1\d\d), "org";r=4;t=1[12]\d\d', answer["RateLimit"])
    for _ in range(5):
        answer = client.get("/api/v1/jobs/")
    assert_refused(answer, "org")
    assert re.fullmatch(r'"caller";r=993;t=[67]\d\d, "org";r=0;t=3[56]\d\d', answer["RateLimit"])
    assert 500 <= int(answer["Retry-After"]) <= 600
    assert "RateLimit" not in api().get("/api/v1/jobs/")


def test_where_nothing_is_limited_nothing_is_written(world: World) -> None:
    answer = api(world.viewer).get("/api/v1/jobs/")

    assert "RateLimit" not in answer
    assert not RateBucket.objects.exists()


# --- The bucket -------------------------------------------------------------------------------------------------


def one(rate: Rate, cost: int = 1, subject: str = "x") -> buckets.Taken:
    (taken,) = buckets.take([Take("test", subject, rate, cost)])
    return taken


def test_tokens_come_back_steadily(world: World) -> None:
    rate = Rate(60, 60.0, 3)
    assert [one(rate).admitted for _ in range(4)] == [True, True, True, False]

    for seconds, admitted in ((0.5, [False]), (1, [True, False]), (100, [True, True, True, False])):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orgs_ratebucket SET full_at = full_at - make_interval(secs => %s)", [seconds])
        assert [one(rate).admitted for _ in admitted] == admitted


def test_thirds_of_a_second_do_not_add_up_to_a_token(world: World) -> None:
    rate = Rate(7, HOUR * 24, 7)

    assert [one(rate).admitted for _ in range(8)] == [True] * 7 + [False]


def test_full_buckets_are_forgotten_by_the_leader_and_others_kept(world: World) -> None:
    slow, quick = Rate(1, HOUR, 5), Rate(1000, 1.0, 1000)
    one(slow, subject="slow")
    for number in range(5):
        one(quick, subject=f"quick-{number}")
    RateBucket.objects.exclude(name="test:slow").update(full_at="2000-01-01T00:00Z")

    assert forget_rates(batch=3) is True
    assert forget_rates(batch=3) is False
    assert [row.name for row in RateBucket.objects.all()] == ["test:slow"]


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_just_as_many_are_let_pass_as_there_are_tokens() -> None:
    a, b = Take("test", "a", Rate(50, HOUR, 50)), Take("test", "b", Rate(70, HOUR, 70))

    def fill(first: Take, second: Take) -> list[tuple[bool, bool]]:
        return [tuple(taken.admitted for taken in buckets.take([first, second])) for _ in range(20)]  # type: ignore[misc]

    # in either order: they do not wait for each other
    outcomes = at_once(*[lambda: fill(a, b), lambda: fill(b, a)] * 3)

    forward = [
        pair
        for number, pairs in enumerate(outcomes)
        for pair in (pairs if number % 2 == 0 else [p[::-1] for p in pairs])
    ]
    assert sum(admitted for admitted, _ in forward) == 50
    assert sum(admitted for _, admitted in forward) == 70
