"""An event that comes twice is acted on once."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jobs.models import SeenEvent
from jobs.once import NoTransaction, first_time
from jobs.queue.upkeep import Prune
from orgs.models import Org
from tests.concurrency import Background, at_once, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import make_org


def test_the_first_time_is_true_and_then_it_is_not(world: World) -> None:
    with transaction.atomic():
        assert first_time("payment-7", org=world.org.slug)
        assert not first_time("payment-7", org=world.org.slug)
        assert first_time("payment-8", org=world.org.slug)
        assert first_time("payment-7", org=world.rival.slug)


@pytest.mark.django_db(transaction=True)
def test_what_is_taken_back_was_not_seen() -> None:
    org = make_org()
    with transaction.atomic():
        assert first_time("payment-7", org=org.slug)
        transaction.set_rollback(True)

    with transaction.atomic():
        assert first_time("payment-7", org=org.slug)


@pytest.mark.django_db(transaction=True)
def test_one_of_many_at_once_is_the_first() -> None:
    org = make_org()

    def act() -> bool:
        with transaction.atomic():
            return first_time("payment-7", org=org.slug)

    assert sorted(at_once(*[act] * 8)) == [False] * 7 + [True]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("taken_back", [False, True])
def test_another_that_is_under_way_is_waited_for(taken_back: bool) -> None:
    org = make_org()

    def act() -> bool:
        with transaction.atomic():
            return first_time("payment-7", org=org.slug)

    with transaction.atomic():
        assert first_time("payment-7", org=org.slug)
        second = Background(act)
        eventually(waiting_for_locks)
        transaction.set_rollback(taken_back)

    assert second.result() is taken_back


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_it_is_refused() -> None:
    org = make_org()

    with pytest.raises(NoTransaction):
        first_time("payment-7", org=org.slug)
    assert not SeenEvent.objects.exists()


@pytest.mark.parametrize("event", ["", "x" * 256, "a\0b"])
def test_names_that_cannot_be_kept_are_refused(world: World, event: str) -> None:
    with transaction.atomic(), pytest.raises(ValueError, match="1 to 255 characters"):
        first_time(event, org=world.org.slug)


def test_an_organisation_that_is_not_there_is_told(world: World) -> None:
    with transaction.atomic(), pytest.raises(Org.DoesNotExist):
        first_time("payment-7", org="nobody")


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=255))
def test_any_other_name_is_kept_as_it_is(world: World, event: str) -> None:
    with transaction.atomic():
        first_time(event, org=world.org.slug)
        assert SeenEvent.objects.filter(org_id=world.org.pk, event=event).exists()
        assert not first_time(event, org=world.org.slug)


def test_they_are_forgotten_after_their_time(world: World, settings: Any) -> None:
    with transaction.atomic():
        first_time("old", org=world.org.slug)
        first_time("new", org=world.org.slug)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_seenevent SET at = at - make_interval(days => %s) WHERE event = 'old'",
            [settings.SEEN_EVENT_DAYS + 1],
        )

    assert not Prune()()

    assert list(SeenEvent.objects.values_list("event", flat=True)) == ["new"]
    assert SeenEvent.objects.filter(at__lte=Now()).count() == 1
