"""Alert rules: what each measures, that an incident is one alert, and that whoever is to be told hears of both ends."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from jobs.delivery.signing import new_secret
from jobs.models import Alert, AlertRule, Attempt, Delivery, EventType, Job, Ready, Schedule, ScheduleTick, Subscriber
from jobs.queue.alerts import judge
from jobs.queue.control import pause
from jobs.states import Outcome
from orgs.models import Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.analytics.rows import make_process
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_alert, make_dead_letter, make_job, make_org, make_webhook
from tests.jobs.delivery.rounds import deliver, mail
from tests.jobs.handlers.server import serving

pytestmark = pytest.mark.django_db

ALERTS = [EventType.ALERT_RAISED.value, EventType.ALERT_CLEARED.value]
ADD: dict[str, Any] = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def make_rule(org: Org, kind: str = "dead_letters", threshold: float = 1, **fields: Any) -> AlertRule:
    name = f"{kind} of {org} {AlertRule.objects.count()}"
    return AlertRule.objects.create(org=org, name=name, kind=kind, threshold=threshold, **fields)


def measured(rule: AlertRule) -> float | None:
    judge()
    rule.refresh_from_db()
    return rule.seen_value


def wait(org: Org, seconds: float) -> None:
    """Let what waits have waited for longer."""
    Ready.objects.filter(org_id=org.pk).update(queued_at=F("queued_at") - timedelta(seconds=seconds))


def recover(rule: AlertRule, seconds: float = 0) -> None:
    """What failed is long ago, and has been for so many seconds."""
    Job.objects.filter(org=rule.org).update(finished_at=Now() - timedelta(days=1))
    judge()
    AlertRule.objects.filter(pk=rule.pk).update(quiet_since=F("quiet_since") - timedelta(seconds=seconds))
    judge()


# --- What is measured ------------------------------------------------------------------------------------------------


def test_dead_letters_are_counted_in_the_window_the_queue_and_the_organisation(world: World) -> None:
    everywhere, here = make_rule(world.org), make_rule(world.org, queue="here", threshold=9)
    make_dead_letter(world.org)
    make_dead_letter(world.org, queue="here")
    old = make_dead_letter(world.org, queue="here")
    Job.objects.filter(pk=old.pk).update(finished_at=Now() - timedelta(seconds=601))
    make_dead_letter(world.rival)

    assert (measured(everywhere), measured(here)) == (2, 1)


def test_latency_is_of_the_oldest_that_may_start(world: World) -> None:
    rule = make_rule(world.org, "latency", 60)
    assert measured(rule) == 0
    make_job(world.org, queue="held")
    pause("held", scope=Scope(world.owner, world.org, Role.ORG_ADMIN))
    Ready.objects.filter(queue="held").update(held=True)
    wait(world.org, 1_000)
    make_job(world.org)
    wait(world.org, 30)

    assert 30 <= (measured(rule) or 0) < 60
    wait(world.org, 40)
    assert (measured(rule) or 0) >= 70
    assert Alert.objects.get().told == "default"


def test_no_worker_is_of_jobs_that_nobody_takes(world: World) -> None:
    rule = make_rule(world.org, "no_worker", 60)
    make_job(world.org, queue="lonely")
    make_job(world.org, queue="served")
    wait(world.org, 100)
    worker = make_process(queues=["served"], types=["python"], beat_at=timezone.now())

    assert (measured(rule) or 0) >= 100
    assert Alert.objects.get().told == "lonely"
    type(worker).objects.filter(pk=worker.pk).update(queues=["*"])
    assert measured(rule) == 0


def test_times_of_schedules_that_were_missed_refused_or_are_late_count(world: World) -> None:
    rule = make_rule(world.org, "cron_missed", 3)
    schedule = Schedule.objects.create(org=world.org, name="nightly", cron="@daily", job=ADD)
    foreign = Schedule.objects.create(org=world.rival, name="theirs", cron="@daily", job=ADD)
    for one, minutes, outcome in (
        (schedule, 1, "missed"),
        (schedule, 2, "refused"),
        (schedule, 60, "missed"),
        (foreign, 1, "missed"),
    ):
        at = Now() - timedelta(minutes=minutes)
        ScheduleTick.objects.create(schedule=one, at=at, fired_at=Now(), outcome=outcome, epoch=1)

    assert measured(rule) == 2
    Schedule.objects.filter(pk=schedule.pk).update(next_at=Now() - timedelta(minutes=5))
    assert measured(rule) == 3
    assert Alert.objects.get().told == "nightly"


def test_the_error_rate_is_of_attempts_and_of_few_says_nothing(world: World) -> None:
    rule = make_rule(world.org, "error_rate", 50)
    for outcome in (Outcome.ERROR, Outcome.ERROR, Outcome.DONE, Outcome.DONE):
        make_job(world.org, max_attempts=1)
        (claimed,) = claim_all()
        finish_one(claimed, outcome)
    assert measured(rule) == 0
    make_job(world.org, max_attempts=1)
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.TIMEOUT)

    assert measured(rule) == 60
    assert Alert.objects.get().told == "3 of 5"
    Attempt.objects.update(ended_at=Now() - timedelta(hours=1))
    assert measured(rule) == 0


# --- One alert an incident -------------------------------------------------------------------------------------------


def test_an_incident_is_one_alert_however_often_it_is_looked_at(world: World) -> None:
    rule = make_rule(world.org)
    subscriber = make_webhook(world.org, events=ALERTS)
    make_dead_letter(world.org)
    for _ in range(3):
        judge()
    make_dead_letter(world.org)
    judge()

    alert = Alert.objects.get()
    assert (alert.rule_id, alert.value, alert.worst, alert.cleared_at) == (rule.pk, 1, 2, None)
    assert [one.event for one in Delivery.objects.filter(subscriber=subscriber)] == ["alert.raised"]


def test_it_is_over_only_after_it_has_been_quiet_for_the_time(world: World) -> None:
    rule = make_rule(world.org, settle_seconds=120)
    make_webhook(world.org, events=ALERTS)
    make_dead_letter(world.org)
    judge()
    recover(rule, 119)
    assert Alert.objects.get().cleared_at is None

    recover(rule, 10)
    alert = Alert.objects.get()
    assert (alert.cleared_at is None, alert.cleared_why) == (False, "settled")
    assert [one.event for one in Delivery.objects.order_by("pk")] == ALERTS
    assert set(alert.deliveries) == set(Delivery.objects.values_list("pk", flat=True))

    make_dead_letter(world.org)
    judge()
    assert Alert.objects.count() == 2


def test_what_swings_about_the_threshold_is_one_incident(world: World) -> None:
    rule = make_rule(world.org, threshold=10, settle_seconds=0)
    jobs = [make_dead_letter(world.org) for _ in range(10)]
    judge()
    Job.objects.filter(pk=jobs[0].pk).update(finished_at=Now() - timedelta(days=1))

    judge()
    rule.refresh_from_db()
    assert (rule.seen_value, rule.quiet_since) == (9, None)
    assert Alert.objects.get().cleared_at is None
    Job.objects.filter(pk__in=[one.pk for one in jobs[:3]]).update(finished_at=Now() - timedelta(days=1))
    judge()
    assert Alert.objects.get().cleared_at is not None


# --- Who is told -----------------------------------------------------------------------------------------------------


def test_a_rule_tells_those_it_names_or_all_that_are_told_of_alerts(world: World) -> None:
    told, other = make_webhook(world.org, events=ALERTS), make_webhook(world.org, events=["job.done"])
    off = make_webhook(world.org, events=ALERTS, active=False)
    foreign = make_webhook(world.rival, events=ALERTS)
    make_rule(world.org)
    make_rule(world.org, subscribers=[other.pk, off.pk, foreign.pk])
    make_dead_letter(world.org)
    Delivery.objects.all().delete()

    judge()

    assert set(Delivery.objects.values_list("subscriber_id", flat=True)) == {told.pk, other.pk}


def test_it_arrives_signed_and_by_mail(world: World, settings: Settings) -> None:
    secret = new_secret()
    rule = make_rule(world.org)
    with serving() as server:
        settings.HTTP_ALLOW_HOSTS = [server.authority]
        make_webhook(world.org, server.on("/hook"), secret=secret, events=ALERTS)
        make_alert(world.org, "oncall@example.com", events=ALERTS)
        make_dead_letter(world.org)
        judge()
        deliver()
        mail()
        (asked,) = server.asked

    message = Webhook(secret).verify(asked.body, asked.headers)
    assert message["type"] == "alert.raised"
    assert message["data"]["alert"]["rule_id"] == str(rule.pk)
    assert (message["data"]["alert"]["value"], message["data"]["alert"]["cleared_at"]) == (1, None)
    (letter,) = outbox.outbox
    assert letter.subject.endswith(f"ALERT: {rule.name}")
    assert "1 dead letters" in letter.body


def test_a_paused_rule_and_a_suspended_organisation_raise_nothing(world: World) -> None:
    make_rule(world.org, is_paused=True)
    make_rule(world.rival)
    make_dead_letter(world.org)
    make_dead_letter(world.rival)
    Org.objects.filter(pk=world.rival.pk).update(suspended_at=Now())

    judge()

    assert not Alert.objects.exists()


def test_rules_of_many_organisations_are_each_of_their_own(world: World) -> None:
    orgs = [make_org() for _ in range(3)]
    for org in orgs:
        make_rule(org)
    make_dead_letter(orgs[1])

    judge()

    assert list(Alert.objects.values_list("org_id", flat=True)) == [orgs[1].pk]
    assert Subscriber.objects.count() == 0
