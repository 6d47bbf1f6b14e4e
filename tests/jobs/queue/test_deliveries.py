"""Deliveries are taken by one sender at a time, and fairly; whoever comes late changes nothing."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now

from jobs.delivery.letters import Report
from jobs.models import Delivery, Subscriber
from jobs.queue import sql
from jobs.queue.deliveries import claim, claim_mail, close_off, forget_previous_secrets, note, note_mail, send_again
from orgs.models import AuditEntry
from tests.concurrency import Background
from tests.factories import make_alert, make_delivery, make_org, make_webhook
from tests.jobs.delivery.rounds import make_due, seconds_to_next, take

OK = Report(delivered=True, status=200)
BAD = Report(status=500, error="No 2xx status.")


@pytest.mark.django_db
def test_what_is_taken_is_not_taken_again_until_its_time_is_over() -> None:
    delivery = make_delivery(make_webhook(make_org()))

    (first,) = take()
    assert take() == []
    assert 59 <= seconds_to_next(delivery) <= 61
    make_due()
    (second,) = take()

    assert (first.id, first.attempt) == (delivery.pk, 1)
    assert (second.id, second.attempt) == (delivery.pk, 2)


@pytest.mark.django_db
def test_a_sender_that_comes_late_changes_nothing() -> None:
    delivery = make_delivery(make_webhook(make_org()))
    (late,) = take()
    make_due()
    (present,) = take()

    assert note(present, OK)
    assert not note(late, BAD)
    assert not note(late, Report(status=410, gone=True))

    delivery.refresh_from_db()
    assert (delivery.status, delivery.response_status) == (Delivery.DELIVERED, 200)
    assert Subscriber.objects.get().active


@pytest.mark.django_db
def test_what_is_not_due_stays() -> None:
    make_delivery(make_webhook(make_org()), next_at=Now() + timedelta(seconds=5))

    assert take() == []


@pytest.mark.django_db
def test_of_each_webhook_its_share_and_of_all_the_slots() -> None:
    org = make_org()
    many, few = make_webhook(org), make_webhook(org)
    for _ in range(10):
        make_delivery(many)
    make_delivery(few)

    taken = claim(slots=100, room={})
    assert [one.subscriber_id for one in taken].count(many.pk) == 4
    assert [one.subscriber_id for one in taken].count(few.pk) == 1

    assert len(claim(slots=100, room={many.pk: 2})) == 2
    assert claim(slots=100, room={many.pk: 0}) == []
    assert len(claim(slots=3, room={})) == 3


@pytest.mark.django_db
def test_those_due_longest_go_first() -> None:
    org = make_org()
    later = make_delivery(make_webhook(org), next_at=Now() - timedelta(seconds=1))
    sooner = make_delivery(make_webhook(org), next_at=Now() - timedelta(seconds=9))

    assert [one.id for one in claim(slots=1, room={})] == [sooner.pk]
    assert [one.id for one in claim(slots=1, room={})] == [later.pk]


@pytest.mark.django_db(transaction=True)
def test_two_senders_take_different_ones() -> None:
    webhook = make_webhook(make_org())
    for _ in range(6):
        make_delivery(webhook)

    with transaction.atomic():
        mine = {one.id for one in claim(slots=100, room={})}
        theirs = Background(lambda: {one.id for one in claim(slots=100, room={})}).result()

    assert (len(mine), len(theirs)) == (4, 2)
    assert not mine & theirs


@pytest.mark.django_db(transaction=True)
def test_two_senders_do_not_mail_to_one_address() -> None:
    make_delivery(make_alert(make_org()))

    with transaction.atomic():
        assert claim_mail() is not None
        assert Background(claim_mail).result() is None
    assert Background(claim_mail).result() is None


@pytest.mark.django_db
def test_a_mail_that_nobody_told_the_outcome_of_is_due_again() -> None:
    delivery = make_delivery(make_alert(make_org()))
    assert claim_mail() is not None
    Subscriber.objects.update(mailed_at=Now() - timedelta(seconds=61))
    assert claim_mail() is None
    make_due()

    again = claim_mail()

    assert again is not None
    assert [(item.id, item.attempt) for item in again.items] == [(delivery.pk, 2)]
    note_mail(again, OK)
    delivery.refresh_from_db()
    assert delivery.status == Delivery.DELIVERED


@pytest.mark.django_db
def test_what_is_due_for_one_that_was_turned_off_or_removed_fails() -> None:
    org = make_org()
    off, gone, on = make_webhook(org, active=False), make_webhook(org), make_webhook(org)
    for one in (off, gone, on):
        make_delivery(one)
    later = make_delivery(off, next_at=Now() + timedelta(hours=1))
    gone_id = gone.pk
    gone.delete()

    assert close_off(batch=2)
    assert not close_off(batch=2)

    states = {(one.subscriber_id, one.pk == later.pk): one.status for one in Delivery.objects.all()}
    assert states == {
        (off.pk, False): "failed",
        (off.pk, True): "pending",
        (gone_id, False): "failed",
        (on.pk, False): "pending",
    }
    assert {one.subscriber_id for one in take()} == {on.pk}


@pytest.mark.django_db
def test_sent_again_it_has_its_id_and_all_its_tries() -> None:
    delivery = make_delivery(make_webhook(make_org()))
    for _ in range(9):
        make_due()
        (letter,) = take()
        note(letter, BAD)
    delivery.refresh_from_db()
    assert delivery.status == Delivery.FAILED

    assert send_again(Delivery.objects.filter(pk=delivery.pk)) == 1
    (letter,) = take()
    note(letter, BAD)

    assert (letter.id, letter.attempt) == (delivery.pk, 10)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.ended_at) == (Delivery.PENDING, None)
    assert 4.9 <= seconds_to_next(delivery) <= 6


@pytest.mark.django_db
def test_a_sender_from_before_it_was_sent_again_changes_nothing() -> None:
    delivery = make_delivery(make_webhook(make_org()))
    (late,) = take()
    send_again(Delivery.objects.filter(pk=delivery.pk))
    (present,) = take()

    assert not note(late, OK)
    assert note(present, BAD)


@pytest.mark.django_db
def test_a_webhook_that_is_turned_off_by_410_is_audited() -> None:
    webhook = make_webhook(make_org())
    make_delivery(webhook)
    (letter,) = take()

    note(letter, Report(status=410, error="No 2xx status.", gone=True))

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.org, entry.target) == ("webhook.disable", webhook.org, str(webhook.pk))


@pytest.mark.django_db
def test_old_deliveries_are_forgotten_unless_they_are_pending() -> None:
    webhook = make_webhook(make_org())
    old = "01900000-0000-7000-8000-00000000000{}"
    over = {"status": Delivery.DELIVERED, "next_at": None, "ended_at": Now()}
    make_delivery(webhook, pk=old.format(1), **over)
    pending = make_delivery(webhook, pk=old.format(2))
    young = make_delivery(webhook, **over)

    sql.run("prune_deliveries", days=30)

    assert set(Delivery.objects.values_list("pk", flat=True)) == {pending.pk, young.pk}


@pytest.mark.django_db
def test_a_secret_that_signs_no_more_is_forgotten() -> None:
    org = make_org()
    over = make_webhook(org, previous_secret="x", previous_until=Now() - timedelta(seconds=1))
    rotating = make_webhook(org, previous_secret="y", previous_until=Now() + timedelta(hours=1))

    forget_previous_secrets()

    kept = dict(Subscriber.objects.values_list("pk", "previous_secret"))
    assert kept == {over.pk: "", rotating.pk: "y"}
