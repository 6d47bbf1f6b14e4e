"""Who calls the API, read with his memberships by one statement."""

from collections.abc import Sequence
from uuid import uuid4

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from django.utils import timezone

from orgs.callers import caller
from orgs.models import Membership, SignIn, User
from orgs.roles import Role
from tests.conftest import World
from tests.factories import api, make_user


def called(user: User) -> User | None:
    return caller(user.pk, SignIn.objects.create(user=user, expires_at=timezone.now()).pk)


@pytest.mark.django_db
def test_a_caller_and_his_memberships_are_as_queries_make_them(world: World) -> None:
    world.org.shell_programs = ["/bin/echo"]
    world.org.save()
    Membership.objects.create(org=world.rival, user=world.owner, role=Role.VIEWER)

    found = called(world.owner)

    assert found is not None
    assert type(found) is User
    assert model_to_dict(found) == model_to_dict(User.objects.get(pk=world.owner.pk))
    expected = Membership.objects.select_related("org").filter(user=world.owner).order_by("pk")
    assert found.memberships_read is not None
    assert [
        (one, one.role, one.created_at, one.org, one.org.slug, one.org.shell_programs, one.user)
        for one in found.memberships_read
    ] == [(one, one.role, one.created_at, one.org, one.org.slug, one.org.shell_programs, found) for one in expected]
    assert len(found.memberships_read) == 2
    found.email = "new@example.com"
    found.save()
    assert User.objects.get(pk=found.pk).email == "new@example.com"


@pytest.mark.django_db
def test_one_without_an_organisation_has_no_memberships() -> None:
    found = called(make_user("loner"))

    assert found is not None
    assert found.memberships_read == []


@pytest.mark.django_db
def test_nobody_is_not_found(world: World) -> None:
    sign_in = SignIn.objects.create(user=world.owner, expires_at=timezone.now())

    assert caller(2**40, sign_in.pk) is None
    assert caller(world.viewer.pk, sign_in.pk) is None
    assert caller(world.owner.pk, uuid4()) is None
    assert caller(world.owner.pk, sign_in.pk) == world.owner


@pytest.mark.django_db
def test_a_role_counts_from_the_next_request_on(world: World) -> None:
    client = api(world.owner)
    assert client.get("/api/v1/jobs/").status_code == 200

    Membership.objects.filter(user=world.owner).delete()

    assert client.get("/api/v1/jobs/").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_since_the_last_request_is_replaced(world: World) -> None:
    client = api(world.owner)
    before = client.get("/api/v1/jobs/")
    connection.connection.close()

    after = client.get("/api/v1/jobs/")

    assert (before.status_code, after.status_code) == (200, 200)


@pytest.mark.django_db(transaction=True)
def test_a_session_that_the_server_ended_is_replaced(world: World) -> None:
    client = api(world.owner)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((pid,),) = cursor.fetchall()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    finally:
        other.close()

    assert client.get("/api/v1/jobs/").status_code == 200


@pytest.mark.django_db
def test_what_breaks_a_statement_is_not_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def broken(text: str, params: Sequence[object]) -> list[tuple[object, ...]]:
        asked.append(text)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        raise AssertionError

    monkeypatch.setattr("orgs.ready.asked", broken)
    with pytest.raises(Exception, match="division by zero"):
        caller(world.owner.pk, uuid4())

    assert len(asked) == 1
