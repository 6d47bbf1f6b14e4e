"""One of everything in acme, and the path of any route that names it."""

import re
from hashlib import sha256
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now
from django.utils import timezone

from jobs.ids import uuid7
from jobs.models import (
    Alert,
    AlertRule,
    Artefact,
    BulkOperation,
    BulkOutcome,
    ErrorGroup,
    Limit,
    Pause,
    SavedView,
    Schedule,
    WorkerProcess,
)
from jobs.queue.batches import enqueue_batch
from jobs.queue.enqueue import NewJob
from orgs import vault
from orgs.membership import invite
from orgs.models import ApiKey, Membership, Org, SignIn, User
from orgs.roles import Role
from orgs.scope import find_scope
from tests.conftest import World
from tests.factories import (
    make_alert,
    make_dead_letter,
    make_delivery,
    make_job,
    make_key,
    make_version,
    make_webhook,
)
from tests.jobs.api.own import Own, make_external

ADD: dict[str, Any] = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
# Stands in the names of what is acme's, and in no answer to a stranger.
CANARY = "canary-of-acme"
LATE = "2099-01-01T00:00:00Z"
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

Names = dict[str, str]


def make_jobs(world: World) -> tuple[Names, dict[str, Names]]:
    """What routes about jobs call by which name: for all of them, and for some by their own name."""
    dead, queued = make_dead_letter(world.org, queue=CANARY), make_job(world.org, queue=CANARY)
    made, sent = make_artefact(world, "a", job_id=queued.pk, attempt=1), make_artefact(world, CANARY)
    later = make_job(world.org, queue=CANARY, delay_seconds=3600)
    batch = enqueue_batch([NewJob("python", ADD["payload"], queue=CANARY)], org=world.org, user=None)
    schedule = Schedule.objects.create(org=world.org, name=CANARY, cron="@daily", job=ADD)
    webhook, alert = (
        make_webhook(world.org, f"https://example.com/{CANARY}"),
        make_alert(world.org, f"{CANARY}@example.com"),
    )
    Limit.objects.create(org=world.org, scope="type", name="python", max_running=5)
    pause = Pause.objects.create(org=world.org, type="http", name=CANARY, paused_at=timezone.now())
    worker = make_worker(world)
    vault.put("mailgun", "hunter1", scope=find_scope(world.owner, world.org.slug))
    make_version(world.org, 1, reason=CANARY)
    make_version(world.org, 2, reason=CANARY, active=True, previous=1)
    shared = {"job_id": queued.pk, "task_id": queued.pk, "artefact_id": sent.pk, "batch_id": batch.batch_id}
    shared |= {"schedule_id": schedule.pk, "webhook_id": webhook.pk, "delivery_id": make_delivery(webhook).pk}
    operation = BulkOperation.objects.create(
        org=world.org, kind="cancel", reason=CANARY, until=Now(), start_at=Now(), next_at=Now(), created_at=Now()
    )
    BulkOutcome.objects.create(
        org_id=world.org.pk, operation_id=operation.pk, job_id=dead.pk, outcome="done", words=CANARY, at=Now()
    )
    shared |= {"operation_id": operation.pk}
    rule = AlertRule.objects.create(
        org=world.org, name=CANARY, kind="dead_letters", threshold=9, subscribers=[webhook.pk]
    )
    make_alert_of(rule, shared["delivery_id"])
    shared |= {"rule_id": rule.pk, "sign_in_id": SignIn.objects.create(user=world.owner, expires_at=LATE).pk}
    shared |= {"pause_id": pause.pk, "worker_id": worker.pk}
    ErrorGroup.objects.create(
        org_id=world.org.pk, fingerprint="0123456789abcdef", error_type=CANARY, attempts=1, first_at=Now(),
        last_at=Now(), last_job_id=dead.pk,
    )  # fmt: skip
    shared |= {"view_id": make_view(world.org).pk, "fingerprint": "0123456789abcdef"}
    shared |= {"alert_id": alert.pk, "scope": "type", "name": CANARY, "version": 1, "attempt": 1}
    own = {
        **{route: {"job_id": str(dead.pk)} for route in ("api-job", "api-job-replay", "job_replay", "deletion")},
        **{route: {"job_id": str(later.pk)} for route in ("api-job-run-now", "job_run_now")},
        **{route: {"artefact_id": str(made.pk)} for route in ("api-job-artefact", "artefact")},
        "api-limit": {"name": "python"},
        "api-secret": {"name": "mailgun"},
        "secret-remove": {"name": "mailgun"},
        "worker_command": {"word": "quiet"},
    }
    return {name: str(value) for name, value in shared.items()}, own


def make_alert_of(rule: AlertRule, delivery_id: Any) -> Alert:
    told: dict[str, Any] = {"threshold": 9, "value": 9, "worst": 9, "told": CANARY, "deliveries": [delivery_id]}
    return Alert.objects.create(
        org_id=rule.org_id, rule_id=rule.pk, name=CANARY, kind=rule.kind, raised_at=Now(), **told
    )


def make_worker(world: World) -> WorkerProcess:
    """One of acme's own."""
    now = timezone.now()
    return WorkerProcess.objects.create(
        id=uuid7(), org_id=world.org.pk, kind="worker", hostname=f"w-{CANARY}", pid=0, version="1", slots=1,
        queues=[CANARY], types=["external"], started_at=now, beat_at=now,
    )  # fmt: skip


def make_view(org: Org, person: User | None = None) -> SavedView:
    """A view of this member's own, or one that is shared."""
    owner = Membership.objects.get(org=org, user=person) if person else None
    return SavedView.objects.create(org=org, owner=owner, name=CANARY, query="status=failed", created_at=Now())


def make_artefact(world: World, name: str, **fields: Any) -> Artefact:
    new = Artefact(org=world.org, name=name, content_type="text/csv", size_bytes=1, **fields)
    new.sha256 = sha256(b"a").hexdigest()
    new.file.name = default_storage.save(name, ContentFile(b"a"))
    new.save()
    return new


def make_people(world: World) -> Names:
    """What routes about the organisation call by which name: the loner is invited, and the owner has a key."""
    scope = find_scope(world.owner, world.org.slug)
    invitation, _ = invite(scope=scope, role=Role.OPERATOR, person=world.loner)
    worker = make_key(world.owner, world.org)
    make_external(world.org)
    names = {"slug": world.org.slug, "username": "viewer", "id": str(invitation.pk), "word": "none"}
    return names | {"key_id": ApiKey.objects.get().prefix, "lease": Own(worker, CANARY).one()["lease"]}


def path_of(route: str, name: str, shared: Names, own: dict[str, Names]) -> str:
    """A route's path with acme's things in it. KeyError: a parameter that is not known here."""
    names = shared | own.get(name, {})
    return PARAMETER.sub(lambda found: names[found[1]], route)
