"""An organisation with a row in every table that has rows of organisations, by the catalogue; and what is left."""

from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models.functions import Now

from jobs.ids import uuid7
from jobs.models import (
    Artefact,
    Job,
    Limit,
    LimitBucket,
    ListSettings,
    LogLine,
    SavedView,
    Schedule,
    ScheduleTick,
)
from jobs.queue.upkeep import fold_counts, fold_payloads
from jobs.search.index import index
from orgs import audit, erasing
from orgs.membership import invite
from orgs.models import Membership, Org, RateBucket, User
from orgs.rates import buckets_of
from orgs.roles import Role
from orgs.row_security import OTHERWISE
from orgs.scope import find_scope
from tests.factories import claim_all, make_dead_letter, make_delivery, make_done, make_job, make_webhook

COLUMNS = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
      AND attidentity = '' AND attgenerated = ''
"""
# What stands in a column of a type, as SQL; lists are empty.
VALUES = {
    "uuid": "gen_random_uuid()", "timestamp with time zone": "now()", "jsonb": "'{}'", "boolean": "false",
    "date": "now()", "bytea": r"'\x01ff'", "bigint": "1", "integer": "1", "smallint": "1", "double precision": "1",
}  # fmt: skip
# Where a constraint wants something else.
ALLOWED = {
    ("jobs_dependency", "condition"): "'end'",
    ("jobs_label", "urgency"): "'high'",
    ("jobs_workerprocess", "kind"): "'worker'",
    ("jobs_workerprocess", "status"): "'online'",
    ("orgs_apikey", "role"): "'viewer'",
    ("jobs_alertrule", "kind"): "'latency'",
    ("jobs_limit", "scope"): "'queue'",
    ("jobs_batch", "callback_when"): "''",
    ("jobs_queue", "policy"): "''",
    ("jobs_bulkoperation", "state"): "'pending'",
    ("jobs_workerprocess", "asked"): "''",
    ("jobs_rollup", "seconds"): "60",
}
# Of tables without the column: who asks by its parent. The organisation itself and processes are asked for otherwise.
PARENTS = {
    "jobs_logline": "job_id IN (SELECT id FROM jobs_job WHERE org_id = {org})",
    "jobs_scheduletick": "schedule_id IN (SELECT id FROM jobs_schedule WHERE org_id = {org})",
    "jobs_limitbucket": "limit_id IN (SELECT id FROM jobs_limit WHERE org_id = {org})",
    "orgs_org": "id = {org}",
}


def tables() -> list[str]:
    """Of the organisation's rows: every one with the column, and the children."""
    assert {name for name in OTHERWISE if name not in PARENTS} <= {*erasing.tables()}
    return [*erasing.tables(), "orgs_auditentry", *PARENTS]


def rows_of(table: str, org_id: int) -> str:
    return PARENTS.get(table, "org_id = {org}").format(org=org_id)


def counts(org_id: int) -> dict[str, int]:
    with connection.cursor() as cursor:
        found = {}
        for table in tables():
            cursor.execute(f"SELECT count(*) FROM {table} WHERE {rows_of(table, org_id)}")  # noqa: S608
            found[table] = cursor.fetchone()[0]
    return found


def checksums(org_id: int) -> dict[str, str]:
    with connection.cursor() as cursor:
        found = {}
        for table in tables():
            cursor.execute(
                "SELECT coalesce(md5(string_agg(one::text, ';' ORDER BY one::text)), '') "  # noqa: S608
                f"FROM {table} AS one WHERE {rows_of(table, org_id)}"
            )
            found[table] = cursor.fetchone()[0]
    return found


def fill_org(org: Org, admin: User) -> None:
    """By the ways of the code where constraints hold rows together, and what is missing then by the catalogue."""
    make_done(org, queue=org.slug)
    dead = make_dead_letter(org, queue=org.slug)
    Job.objects.filter(pk=dead.pk).update(payload={"headers": {"Authorization": f"hidden of {org.slug}"}})
    LogLine.objects.create(job_id=dead.pk, attempt=1, sequence=1, stream="log", text=f"line of {org.slug}", at=Now())
    make_job(org, queue=org.slug)
    claim_all(org.slug)
    # some are folded, and some not yet
    fold_counts()
    fold_payloads()
    make_job(org, queue=org.slug)
    make_job(org, queue=org.slug, delay_seconds=3600)
    for job_id in (dead.pk, None):
        make_file(org, job_id)
    make_delivery(make_webhook(org))
    invite(scope=find_scope(admin, org.slug), role=Role.VIEWER, email=f"guest@{org.slug}.example")
    audit.record("test.act", org=org, actor=admin, target=org.slug)
    User.objects.filter(pk=admin.pk).update(active_org=org)
    RateBucket.objects.bulk_create([RateBucket(name=name, full_at=Now()) for name in buckets_of(org.pk)])
    job = {"type": "python", "payload": {"task": "demo.add", "kwargs": {}}}
    schedule = Schedule.objects.create(org=org, name="s", cron="@daily", job=job)
    ScheduleTick.objects.create(schedule=schedule, at=Now(), outcome="refused", fired_at=Now(), epoch=1)
    index(list(Job.objects.for_org(org).values_list("pk", flat=True)))
    member = Membership.objects.get(org=org, user=admin)
    view = SavedView.objects.create(org=org, owner=member, name="v", query="status=failed", created_at=Now())
    ListSettings.objects.create(org=org, member=member, columns=["queue"], default_view=view)
    limit = Limit.objects.create(org=org, scope="queue", name="elsewhere", max_running=1)
    LimitBucket.objects.create(limit=limit, key="", tokens=1, refilled_at=Now())
    for table, rows in counts(org.pk).items():
        if not rows:
            insert(table, org)


def make_file(org: Org, job_id: Any = None) -> Artefact:
    """As it is stored: by the id of its row."""
    new_id = uuid7()
    data = b"a file of " + org.slug.encode()
    name = default_storage.save(f"{org.pk}/{new_id.hex}", ContentFile(data))
    attempt = 1 if job_id else None
    return Artefact.objects.create(
        id=new_id, org=org, job_id=job_id, attempt=attempt, name="file.txt", content_type="text/plain",
        size_bytes=len(data), sha256=sha256(data).hexdigest(), file=name,
    )  # fmt: skip


def insert(table: str, org: Org) -> None:
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [table])
        columns = {
            name: ALLOWED.get((table, name), VALUES.get(kind, value_of(kind))) for name, kind in cursor.fetchall()
        }
        columns["org_id"] = str(org.pk)
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(columns.values())})"  # noqa: S608
        )


def value_of(kind: str) -> str:
    return "'{}'" if kind.endswith("[]") else f"'{uuid4().hex[:5]}'"


def files_of(org_id: int) -> list[str]:
    try:
        return default_storage.listdir(str(org_id))[1]
    except FileNotFoundError:
        return []


def jobs_by_status() -> dict[str, int]:
    """Counted from the jobs themselves."""
    found: dict[str, int] = {}
    for status in Job.objects.with_state().values_list("state", flat=True):
        found[status] = found.get(status, 0) + 1
    return found
