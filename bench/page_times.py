"""python -m bench pages [JOBS]: how long the server takes over each page of the dashboard among a million jobs.

Jobs of four organisations, the greatest with seven of ten, spread over thirty days; their words made by the leader's
own code. A page is asked for as a browser does, through every layer but the network, behind row-level security.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench import cluster, machine, results, sizes
from bench.ours.stage import Stage
from bench.percentiles import percentiles

# Of the jobs, how many are of each organisation.
SHARES = {"bench": 0.7, "second": 0.2, "third": 0.09, "fourth": 0.01}
PEOPLE, DAYS = 20, 30
# Among so many jobs the slower bar holds.
MANY = 10_000_000
BAR_MS, BAR_MS_OF_MANY, BAR_QUERIES = 200, 500, 12
FAULT = b'class="message error"'

# One row a job, the oldest first; `n` decides what it is.
JOBS = """
INSERT INTO jobs_job (
    id, org_id, queue, type, name, title, description, payload, payload_bytes, urgency, category, predicted_ms,
    prediction_source, priority, rank_offset, status, timeout_seconds, max_attempts, attempt, attempt_limit, life,
    fingerprint, correlation_id, created_by_id, created_at, queued_at, started_at, finished_at, runtime_ms, outcome,
    error_type, error, result, tags, run_at)
SELECT id, %(org)s, 'queue-' || (n * n) %% 10, CASE n %% 5 WHEN 0 THEN 'http' WHEN 1 THEN 'etl' ELSE 'python' END,
       'task-' || n %% 50, CASE WHEN n %% 3 = 0 THEN 'Import of customer ' || n %% 5000 ELSE '' END, '',
       jsonb_build_object('task', 'task-' || n %% 50, 'user', jsonb_build_object(
           'id', n %% 10000, 'plan', CASE WHEN n %% 1000 = 0 THEN 'gold' ELSE 'free' END)),
       80, CASE WHEN n %% 20 = 0 THEN 'high' ELSE 'medium' END,
       CASE WHEN n %% 4 = 0 THEN 'Network' ELSE 'Application' END,
       100 + n %% 977, 'history', 1 / (1 + (100 + n %% 977) / 3000.0), 0, status, 300, 4,
       CASE WHEN ended THEN 1 + (n %% 200 = 7)::int ELSE 0 END, 4, 1 + (n %% 5000 = 0)::int, '',
       'call-' || %(org)s || '-' || n / 10, (%(people)s::bigint[])[1 + n %% 20], at, at, CASE WHEN ended THEN at END,
       CASE WHEN ended THEN at + interval '2 seconds' END, CASE WHEN ended THEN 100 + n %% 1777 END,
       CASE WHEN status = 'failed' THEN 'error' ELSE '' END,
       CASE WHEN status = 'failed' THEN 'Trouble' || n %% 40 ELSE '' END,
       CASE WHEN status = 'failed' THEN 'customer ' || n || ' was not reached: reason ' || chr(97 + (n %% 23)::int)
            ELSE '' END,
       CASE WHEN status = 'done' THEN jsonb_build_object('count', n %% 100) END,
       CASE WHEN n %% 10 = 0 THEN ARRAY['customer-' || n %% 300, 'v2'] ELSE '{}' END,
       CASE WHEN status = 'scheduled' THEN now() + interval '1 hour' END
FROM (
    SELECT n, uuidv7(-age) AS id, now() - age AS at, status, status IN ('done', 'failed', 'cancelled') AS ended
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    CROSS JOIN LATERAL (SELECT (%(rows)s - n) * interval '%(days)s days' / %(rows)s AS age) AS time
    CROSS JOIN LATERAL (SELECT CASE
        WHEN n > %(rows)s - %(rows)s / 1000 THEN CASE n %% 3 WHEN 0 THEN 'scheduled' ELSE 'queued' END
        WHEN n %% 50 = 3 THEN 'failed' WHEN n %% 100 = 5 THEN 'cancelled' ELSE 'done' END AS status) AS decided
) AS made
"""
ATTEMPTS = """
INSERT INTO jobs_attempt (
    job_id, org_id, number, type, name, worker_id, worker_name, started_at, last_beat_at, ended_at, outcome,
    runtime_ms, predicted_ms, error_type, error)
SELECT id, org_id, 1, type, name, id, 'host-' || (hashtext(id::text) & 7), started_at, started_at, finished_at,
       CASE status WHEN 'failed' THEN 'error' ELSE 'done' END, runtime_ms, predicted_ms, error_type, error
FROM jobs_job WHERE finished_at IS NOT NULL ORDER BY finished_at
"""
MOVES = """
INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
SELECT org_id, id, queue, NULL, 'queued', 0, 'user:ada', '', created_at FROM jobs_job ORDER BY created_at
"""
READY = """
INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held)
SELECT id, org_id, queue, type, extract(epoch FROM queued_at), queued_at, 0, predicted_ms, false
FROM jobs_job WHERE status = 'queued'
"""
COUNTS = """
INSERT INTO jobs_statuscount (org_id, queue, status, jobs)
SELECT org_id, queue, status, count(*) FROM jobs_job GROUP BY org_id, queue, status
"""
QUEUES = """
INSERT INTO jobs_queue (org_id, name, pause_reason)
SELECT DISTINCT org_id, queue, '' FROM jobs_statuscount ON CONFLICT DO NOTHING
"""
TRAIL = """
INSERT INTO orgs_auditentry (org_id, actor_name, key_prefix, action, target, detail, correlation_id, at)
SELECT %(org)s, 'person-' || n %% 20, '', CASE n %% 3 WHEN 0 THEN 'job.cancel' ELSE 'job.submit' END, n::text, '{}',
       'c', now() - n * interval '1 second' FROM generate_series(1, %(rows)s / 5) AS n
"""

# What is asked for, by what it is called: the first pages of every list, alone and narrowed.
PAGES: dict[str, str] = {
    "overview": "/",
    "jobs": "/jobs/",
    "jobs, next page": "/jobs/?{next}",
    "jobs by status": "/jobs/?status=failed",
    "jobs by a rare status": "/jobs/?status=cancelled",
    "jobs that wait": "/jobs/?status=queued",
    "jobs that run": "/jobs/?status=running",
    "jobs by queue": "/jobs/?queue=queue-6",
    "jobs by type": "/jobs/?type=http",
    "jobs by name": "/jobs/?name=task-7",
    "jobs by category": "/jobs/?category=Network",
    "jobs by urgency": "/jobs/?urgency=high",
    "jobs by tag": "/jobs/?tag=customer-120",
    "jobs by worker": "/jobs/?worker=host-3",
    "jobs by creator": "/jobs/?creator=person-3",
    "jobs by creation": "/jobs/?created_after={week}&created_before={days}",
    "jobs by end": "/jobs/?finished_after={week}&finished_before={days}",
    "jobs by attempts": "/jobs/?attempts_min=2",
    "jobs by duration": "/jobs/?runtime_min_ms=1870",
    "jobs by error class": "/jobs/?error_type=Trouble3",
    "jobs by fingerprint": "/jobs/?fingerprint={fingerprint}",
    "jobs by correlation id": "/jobs/?correlation_id={call}",
    "jobs that were replayed": "/jobs/?replayed=true",
    "jobs combined": "/jobs/?status=done&queue=queue-6&type=http&tag=customer-120&within=30d",
    "jobs, nothing matches": "/jobs/?name=task-7&tag=customer-120&type=etl",
    "text: a frequent word": "/jobs/?q=customer",
    "text: a rare word": "/jobs/?q=%224999%22+import",
    "text: nowhere": "/jobs/?q=nowhere+to+be+found",
    "text: the end of an id": "/jobs/?q={end}",
    "payload equal": "/jobs/?q=payload.user.plan:gold",
    "payload equal, rare": "/jobs/?q=payload.user.id:4321",
    "result greater": "/jobs/?q=result.count:%3E98+queue-6",
    "payload, nothing matches": "/jobs/?q=payload.user.plan:silver",
    "filtered, by predicted": "/jobs/?tag=customer-120&sort=-predicted",
    "dead letters": "/dead-letters/",
    "dead letters, filtered": "/dead-letters/?error_type=Trouble3&queue=queue-9",
    "dead letters, searched": "/dead-letters/?q=reached+4321",
    "errors": "/errors/",
    "errors by queue": "/errors/?queue=queue-9&sort=count",
    "an error": "/errors/{fingerprint}/",
    "a job": "/jobs/{job}/",
    "queues": "/queues/",
    "workers": "/workers/",
    "files": "/artefacts/",
    "model": "/model/",
    "classifier": "/classifier/",
    "members": "/members/",
    "usage": "/usage/",
    "audit": "/audit/",
    "saved views": "/jobs/views/",
}


def main(words: list[str]) -> None:
    jobs = int(words[0]) if words else sizes.PAGE_JOBS
    with cluster.running() as server:
        stage = Stage(server)
        stage.fresh()
        begun = time.monotonic()
        fill(stage, jobs)
        report: dict[str, Any] = {
            **machine.facts(),
            "about": "milliseconds of a page on the server, every layer but the network, and its statements",
            "jobs": jobs,
            "sizes": {"asked": sizes.PAGE_ROUNDS, "share of the organisation": SHARES["bench"]},
            "filled_in_seconds": round(time.monotonic() - begun),
        }
        report["pages"] = with_plain_names(measured)
        report["table_bytes"] = table_bytes(stage)
        results.write("pages" if jobs == sizes.PAGE_JOBS else f"pages-{jobs}", report)
    for name, figures in report["pages"].items():
        bar = BAR_MS_OF_MANY if jobs >= MANY else BAR_MS
        late = figures.get("p95_ms", bar + 1) > bar or figures.get("queries", 0) > BAR_QUERIES
        print(f"{'!' if late else ' '} {name:28} {figures}")


# --- The store ------------------------------------------------------------------------------------------------------


def fill(stage: Stage, jobs: int) -> None:
    from orgs.models import Membership, Org, User

    people = User.objects.bulk_create([User(username=f"person-{n}") for n in range(PEOPLE)])
    for slug, share in SHARES.items():
        org, _ = Org.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
        Membership.objects.bulk_create([Membership(org=org, user=user, role="org_admin") for user in people])
        fill_org(stage, org.pk, [user.pk for user in people], int(jobs * share))
    with loading(stage) as connection:
        for statement in (ATTEMPTS, MOVES, READY, COUNTS, QUEUES):
            connection.execute(statement)
    make_words()
    with loading(stage) as connection:
        connection.execute("VACUUM ANALYZE")


def fill_org(stage: Stage, org_id: int, people: list[int], rows: int) -> None:
    with loading(stage) as connection:
        for first in range(1, rows + 1, sizes.PAGE_CHUNK):
            last = min(first + sizes.PAGE_CHUNK - 1, rows)
            params = {"org": org_id, "people": people, "rows": rows, "days": DAYS, "first": first, "last": last}
            connection.execute(JOBS, params)
        connection.execute(TRAIL, {"org": org_id, "rows": rows})


@contextmanager
def loading(stage: Stage) -> Iterator[Any]:
    """Without the triggers that count, which would take longer than the rest."""
    import psycopg

    facts = {**stage.server.superuser(), "dbname": stage.database}
    with psycopg.connect(**facts, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


def make_words() -> None:
    """As the leader does it, without its pauses; a store without a leader is followed up to now."""
    from django.db import transaction
    from django.db.models.functions import Now

    from jobs.models import Follower, Transition
    from jobs.search.index import follow_attempts, follow_moves

    newest = Transition.objects.order_by("-pk").values_list("pk", flat=True)[0]
    for name, step in (("jobs", follow_moves), ("errors", follow_attempts)):
        Follower.objects.update_or_create(name=name, defaults={"final_id": newest, "final_at": Now()})
        done_at: object = True
        while done_at:
            with transaction.atomic():
                done_at = step(2_000)


def table_bytes(stage: Stage) -> dict[str, int]:
    names = ("jobs_job", "jobs_attempt", "jobs_transition", "jobs_searchentry", "searchentry_words_idx")
    return {name: stage.number(f"SELECT pg_total_relation_size('{name}')") for name in names}


# --- The pages ------------------------------------------------------------------------------------------------------


def with_plain_names(measure: Callable[[], dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Static files are not collected for this: their addresses are made without looking for them."""
    from django.conf import settings
    from django.test import override_settings

    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        return measure()


def measured() -> dict[str, dict[str, Any]]:
    from django.test import Client

    from orgs.models import User

    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(User.objects.get(username="person-1"))
    facts = known()
    addresses = {name: path.format(**facts) for name, path in PAGES.items()}
    refused = {name: {"refused_after_ms": late} for name, path in addresses.items() if (late := refusal(client, path))}
    addresses = {name: path for name, path in addresses.items() if name not in refused}
    taken: dict[str, list[float]] = {name: [] for name in addresses}
    # each page between others, as it is asked for
    order = [name for name in addresses for _ in range(sizes.PAGE_ROUNDS)]
    random.Random(1).shuffle(order)
    for name in order:
        begun = time.perf_counter()
        ask(client, addresses[name])
        taken[name].append((time.perf_counter() - begun) * 1_000)
    return refused | {
        page: {
            **{f"{name}_ms": round(value, 1) for name, value in percentiles(times).items() if name != "p99"},
            "queries": statements(client, addresses[page]),
        }
        for page, times in taken.items()
    }


def known() -> dict[str, str]:
    """What addresses name."""
    from datetime import timedelta

    from django.utils import timezone

    from jobs.listing import Sort, encoded
    from jobs.models import ErrorGroup, Job
    from orgs.models import Org

    org = Org.objects.get(slug="bench")
    some = Job.objects.for_org(org).order_by("-pk").filter(attempt=1)[0]
    now = timezone.now()
    return {
        "job": str(some.pk),
        "end": str(some.pk)[-8:],
        "call": some.correlation_id,
        "fingerprint": ErrorGroup.objects.filter(org_id=org.pk).order_by("attempts")[0].fingerprint,
        "next": f"cursor={encoded(some, Sort())}",
        "week": f"{now - timedelta(days=7):%Y-%m-%dT%H:%M}",
        "days": f"{now - timedelta(days=5):%Y-%m-%dT%H:%M}",
    }


def ask(client: Any, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200 or FAULT in answer.content:
        raise AssertionError(f"{path}: {answer.status_code} {answer.content[:2000]!r}")


def refusal(client: Any, path: str) -> int | None:
    """After how many milliseconds it says that this takes too long, if it does so twice: once may be a cold cache."""
    for _ in range(2):
        begun = time.perf_counter()
        answer = client.get(path)
        if answer.status_code != 200 or FAULT not in answer.content:
            return None
    return round((time.perf_counter() - begun) * 1_000)


def statements(client: Any, path: str) -> int:
    """How many the page asks, without the beginnings and ends of transactions."""
    from django.db import connection

    count = 0

    def counting(execute: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    with connection.execute_wrapper(counting):
        ask(client, path)
    return count
