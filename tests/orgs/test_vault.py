"""What is kept of a secret, who may change it, and who reads it."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.db.models.functions import Now
from django.http import Http404
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from orgs.errors import Conflict
from orgs.models import AuditEntry, Secret
from orgs.scope import Scope, find_scope
from orgs.vault import MOST_SECRETS, NotReadable, names_of, put, remove, values_of
from tests.conftest import World

pytestmark = pytest.mark.django_db

VALUE = "hunter2-of-the-database"


@pytest.fixture
def scope(world: World) -> Scope:
    return find_scope(world.owner, "acme")


def test_it_is_sealed_in_the_database_and_read_by_name(world: World, scope: Scope) -> None:
    put("db_password", VALUE, scope=scope)

    with connection.cursor() as cursor:
        cursor.execute("SELECT secret::text FROM orgs_secret AS secret")
        (row,) = cursor.fetchone()
    assert VALUE not in row
    assert Secret.objects.get().sealed.startswith("v1.")
    assert values_of(world.org.pk, {"db_password"}) == {"db_password": VALUE}


def test_it_is_of_its_organisation_and_name_alone(world: World, scope: Scope) -> None:
    put("db_password", VALUE, scope=scope)
    put("other", "something else", scope=scope)

    assert names_of(world.rival) == frozenset()
    with pytest.raises(NotReadable, match="no secret 'db_password' any more"):
        values_of(world.rival.pk, {"db_password"})
    # whoever can write to the database cannot pass one off as another, nor give it to another organisation
    sealed = Secret.objects.get(name="db_password").sealed
    Secret.objects.filter(name="other").update(sealed=sealed)
    Secret.objects.filter(name="db_password").update(org=world.rival)
    for org, name in ((world.org, "other"), (world.rival, "db_password")):
        with pytest.raises(NotReadable, match=f"'{name}' cannot be read"):
            values_of(org.pk, {name})


def test_a_new_value_takes_the_place_of_the_old_one(world: World, scope: Scope) -> None:
    first, created = put("token", "first value", scope=scope)
    second, again = put("token", "second value", scope=scope)

    assert (created, again, second.pk) == (True, False, first.pk)
    assert second.updated_at >= first.updated_at
    assert values_of(world.org.pk, {"token"}) == {"token": "second value"}


def test_each_change_is_audited_without_the_value(scope: Scope) -> None:
    put("token", VALUE, scope=scope)
    put("token", VALUE + "2", scope=scope)
    remove("token", scope=scope)

    entries = AuditEntry.objects.order_by("pk")
    assert [(one.action, one.target, one.detail) for one in entries] == [
        ("secret.create", "token", {"version": 1}),
        ("secret.change", "token", {"version": 2}),
        ("secret.remove", "token", {}),
    ]
    with pytest.raises(Http404):
        remove("token", scope=scope)


@pytest.mark.parametrize("who", ["operator", "viewer"])
def test_only_an_admin_changes_them(world: World, who: str) -> None:
    scope = find_scope(getattr(world, who), "acme")

    with pytest.raises(PermissionDenied):
        put("token", VALUE, scope=scope)
    with pytest.raises(PermissionDenied):
        remove("token", scope=scope)
    assert not Secret.objects.exists()


@pytest.mark.parametrize("value", ["", "abc", " a b c ", "x" * 8_001, "é" * 4_001])
def test_what_could_not_be_hidden_or_is_too_long_is_refused(scope: Scope, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        put("token", value, scope=scope)
    assert value.strip() not in str(caught.value) or not value.strip()
    assert not Secret.objects.exists()


@pytest.mark.parametrize("name", ["", "1st", "with-dash", "a" * 65, "é", "two words", "a\n", "{{secret:a}}"])
def test_a_name_is_a_word(scope: Scope, name: str) -> None:
    with pytest.raises(ValidationError):
        put(name, VALUE, scope=scope)


def test_there_is_a_bound_to_how_many(world: World, scope: Scope) -> None:
    Secret.objects.bulk_create(
        [Secret(org=world.org, name=f"n{number}", sealed="v1.x.y") for number in range(MOST_SECRETS)]
    )
    with pytest.raises(Conflict):
        put("one_more", VALUE, scope=scope)
    put("n1", VALUE, scope=scope)


def test_when_it_was_used_is_written_once_in_a_while(
    world: World, scope: Scope, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    put("token", VALUE, scope=scope)
    assert Secret.objects.get().last_used_at is None

    with django_assert_num_queries(2):
        values_of(world.org.pk, {"token"})
    with django_assert_num_queries(1):
        values_of(world.org.pk, {"token"})
    used = Secret.objects.get().last_used_at
    assert used is not None

    Secret.objects.update(last_used_at=Now() - timedelta(minutes=6))
    values_of(world.org.pk, {"token"})
    assert Secret.objects.get().last_used_at > used - timedelta(seconds=1)


def test_without_its_key_it_is_named_and_not_shown(world: World, scope: Scope, settings: Settings) -> None:
    put("token", VALUE, scope=scope)
    settings.ENCRYPTION_KEYS = {"other": b"k" * 32}

    with pytest.raises(NotReadable) as caught:
        values_of(world.org.pk, {"token"})
    assert "'token'" in str(caught.value)
    assert VALUE not in str(caught.value)
