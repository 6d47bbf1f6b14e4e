"""Buckets shared by the processes of a real web: as many calls are let pass as there are tokens, not one more."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from orgs.models import RateBucket
from orgs.roles import Role
from tests.concurrency import elsewhere
from tests.factories import make_org
from tests.processes import Fleet
from tests.proofs import figure
from tests.scenarios.rest import CROWD, Crowd, Rest

CALLS, LIMIT = 400, 100


@pytest.fixture
def limited(fleet: Fleet) -> Fleet:
    # none comes back while the test runs
    fleet.environ |= {f"SMARTQUEUE_{name}_RATE": f"{LIMIT}/360000" for name in ("CALL", "LOGIN")}
    return fleet


def test_of_four_hundred_calls_at_once_a_hundred_are_let_pass(limited: Fleet) -> None:
    rest = Rest(limited, make_org("acme"), Role.VIEWER)

    def call() -> int:
        answer = rest.pool.request("GET", f"{rest.url}/api/v1/queues/", headers=rest.headers)
        assert answer.status == 200 or int(answer.headers["Retry-After"]) >= 1
        return answer.status

    with Crowd() as crowd:
        found = Counter(status for _ in range(CALLS // CROWD) for status in crowd.all(call))

    figure("rate limit over two web processes", calls=CALLS, limit=LIMIT, admitted=found[200])
    assert found == {200: LIMIT, 429: CALLS - LIMIT}
    assert RateBucket.objects.count() == 1


def test_a_thousand_forged_addresses_are_one_client_of_both(limited: Fleet) -> None:
    rest = Rest(limited, make_org("acme"))

    def sign_in(number: int) -> int:
        headers = {**rest.headers, "X-Forwarded-For": f"10.{number // 250}.{number % 250}.1"}
        body = f'{{"username": "name{number}", "password": "wrong"}}'.encode()
        return rest.pool.request("POST", f"{rest.url}/api/v1/auth/login/", body=body, headers=headers).status

    with ThreadPoolExecutor(16) as several:
        found = Counter(several.map(sign_in, range(1_000)))

    assert found == {401: LIMIT, 429: 1_000 - LIMIT}


def test_while_the_database_keeps_a_bucket_a_call_fails_as_any_other_would(limited: Fleet) -> None:
    """That is said, and is no bug."""
    limited.environ["PGOPTIONS"] = "-c lock_timeout=200ms"
    rest = Rest(limited, make_org("acme"), Role.VIEWER)

    with elsewhere() as session:
        session.execute("LOCK TABLE orgs_ratebucket IN ACCESS EXCLUSIVE MODE")
        answer = rest.pool.request("GET", f"{rest.url}/api/v1/queues/", headers=rest.headers)

    assert answer.status == 503
    assert answer.json()["type"] == "urn:smartqueue:problem:database_away"
    assert rest.pool.request("GET", f"{rest.url}/api/v1/queues/", headers=rest.headers).status == 200
