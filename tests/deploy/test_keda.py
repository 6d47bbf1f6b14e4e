"""What KEDA is told, asked as the role that it asks as, beside what the jobs themselves say."""

import contextlib
import math
from typing import Any

import psycopg
import pytest
import sqlparse
from django.conf import settings
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from jobs.models import Job, Lease
from jobs.queue.control import keep_held, pause
from jobs.queue.limit_control import set_limit
from jobs.states import Status
from orgs.scope import find_scope
from smartqueue.embedded import Server
from tests.conftest import World
from tests.deploy.manifests import K8S, container, of_kind, worker_types
from tests.factories import claim_all, make_job

SCALER = (K8S / "components/keda/scaler.sql").read_text()


def triggers() -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in of_kind("prod-keda", "ScaledObject")["worker"]["spec"]["triggers"]}


def asked(query: str) -> float:
    """As KEDA asks; the role is gone with the test's transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE smartqueue_scaler")
        cursor.execute(query)
        (value,) = cursor.fetchone()
        cursor.execute("RESET ROLE")
    return float(value)


@pytest.fixture
def scaler(world: World) -> str:
    """The query, with scaler.sql run: the role by who may make roles, the rest by the owner of the tables."""
    statements = [one for one in sqlparse.split(SCALER) if one.strip(" ;")]
    assert "CREATE ROLE" in statements[0]
    make_role(statements[0])
    with connection.cursor() as cursor:
        for statement in statements[1:]:
            cursor.execute(statement)
    return str(triggers()["predicted-waiting-seconds"]["metadata"]["query"])


def make_role(statement: str) -> None:
    """Roles are of the cluster, and stay for the other tests."""
    try:
        superuser = Server(settings.STATE_DIR).superuser()
        above = psycopg.connect(**superuser, autocommit=True)
    except (OSError, psycopg.OperationalError) as error:
        pytest.skip(f"NO SUPERUSER OF THE TESTS' POSTGRESQL: the query of KEDA is not asked ({error})")
    with above:
        with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            above.execute(statement.encode())
        above.execute(f"GRANT smartqueue_scaler TO {connection.settings_dict['USER']}".encode())


def true_backlog_seconds(paused: set[tuple[int, str]]) -> float:
    """From the jobs: what waits, may begin, and is of a type that these workers take."""
    waiting = Job.objects.filter(status=Status.QUEUED, type__in=worker_types(), limit_key="")
    waiting = waiting.exclude(pk__in=Lease.objects.values("job_id"))
    return sum(job.predicted_ms for job in waiting if (job.org_id, job.queue) not in paused) / 1000


def test_nothing_waits(scaler: str) -> None:
    assert asked(scaler) == 0.0


def test_the_predicted_backlog_is_that_of_the_jobs(scaler: str, world: World) -> None:
    for number in range(7):
        make_job(world.org if number % 2 else world.rival, name=f"kind{number}")
    claim_all(slots=2)
    make_job(world.org, queue="stopped")
    make_job(world.org, type="shell", payload={"argv": ["/bin/echo", "hi"]})
    make_job(world.org, delay_seconds=3600)
    scope = find_scope(world.owner, world.org.slug)
    pause("stopped", scope=scope)
    # as the leader does within a second
    keep_held()

    true = true_backlog_seconds({(world.org.pk, "stopped")})
    assert true > 0
    assert asked(scaler) == pytest.approx(true)
    assert asked(triggers()["running-jobs"]["metadata"]["query"]) == 2


def test_what_waits_for_its_limit_is_no_reason_for_more_workers(scaler: str, world: World) -> None:
    set_limit("key", "customer", scope=find_scope(world.owner, world.org.slug), max_running=1)
    make_job(world.org)
    free = asked(scaler)

    make_job(world.org, limit_key="customer")

    assert asked(scaler) == free


def test_the_role_sees_no_more_than_it_asks_for(scaler: str) -> None:
    for query in (
        "SELECT payload FROM jobs_job",
        "SELECT org_id FROM jobs_ready",
        "SELECT token FROM jobs_lease",
        "SELECT * FROM orgs_user",
        "DELETE FROM jobs_ready",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            asked(query)


def test_without_its_policy_the_role_would_see_nothing(scaler: str, world: World) -> None:
    make_job(world.org)
    assert asked(scaler) > 0
    with connection.cursor() as cursor:
        cursor.execute("DROP POLICY scaler ON jobs_ready")

    assert asked(scaler) == 0.0, "row-level security is what the policy is for"


def test_the_scaled_object_says_what_the_page_says() -> None:
    spec = of_kind("prod-keda", "ScaledObject")["worker"]["spec"]

    assert (spec["pollingInterval"], spec["cooldownPeriod"]) == (15, 300)
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 5)
    assert spec["scaleTargetRef"]["name"] in of_kind("prod-keda", "Deployment")
    assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    # two autoscalers of one Deployment would fight
    assert set(of_kind("prod-keda", "HorizontalPodAutoscaler")) == {"web"}
    for trigger in spec["triggers"]:
        assert trigger["metricType"] == "AverageValue", "a fallback is for no other"
        assert trigger["authenticationRef"]["name"] in of_kind("prod-keda", "TriggerAuthentication")
        assert "COALESCE(" in trigger["metadata"]["query"]
        named = trigger["metadata"]["query"].split(" IN (")[1].rstrip(")").replace("'", "")
        assert sorted(word.strip() for word in named.split(",")) == worker_types()


def test_a_pod_is_asked_for_by_what_its_slots_do_in_a_minute() -> None:
    (slots,) = [word for word in container("prod-keda", "worker")["args"] if word.startswith("--concurrency=")]
    seconds = float(triggers()["predicted-waiting-seconds"]["metadata"]["targetQueryValue"])

    assert seconds == int(slots.removeprefix("--concurrency=")) * 60
    assert math.ceil(901 / seconds) == 4
