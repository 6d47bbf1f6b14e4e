"""The trail of what people did."""

import pytest
from django.db import Error, connection, transaction

from orgs import audit
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orgs_auditentry SET actor_name = 'nobody'",
        "UPDATE orgs_auditentry SET actor_name = 'nobody' WHERE false",
        "DELETE FROM orgs_auditentry",
        "DELETE FROM orgs_auditentry WHERE actor_name = 'owner'",
        "TRUNCATE orgs_auditentry",
    ],
)
def test_the_trail_cannot_be_changed(world: World, statement: str) -> None:
    audit.record("org.create", org=world.org, actor=world.owner)

    with connection.cursor() as cursor, transaction.atomic():
        # Off during tests, see conftest; it is part of every other database.
        cursor.execute("ALTER TABLE orgs_auditentry ENABLE TRIGGER audit_no_truncate")
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            cursor.execute(statement)
        transaction.set_rollback(False)

    assert AuditEntry.objects.get().actor_name == "owner"


def test_the_trail_outlives_the_person(world: World) -> None:
    audit.record("org.create", org=world.org, actor=world.operator, target="acme")

    world.operator.delete()

    assert AuditEntry.objects.get().actor_name == "operator"


def test_an_entry_says_who_from_where_in_which_request(world: World) -> None:
    client = api(world.owner)

    client.patch(
        "/api/v1/orgs/acme/", {"name": "Acme Ltd"}, REMOTE_ADDR="2001:db8::7", headers={"X-Correlation-ID": "abc-123"}
    )

    entry = AuditEntry.objects.get(action="org.rename")
    assert (entry.actor_name, entry.org_id, entry.target) == ("owner", world.org.pk, "acme")
    assert (entry.address, entry.correlation_id) == ("2001:db8::7", "abc-123")


def test_a_denied_call_is_recorded(world: World) -> None:
    api(world.viewer).patch("/api/v1/orgs/acme/", {"name": "Mine"})

    entry = AuditEntry.objects.get(action="access.denied")
    assert (entry.actor_name, entry.org_id, entry.target, entry.detail) == (
        "viewer",
        world.org.pk,
        "/api/v1/orgs/acme/",
        {"wanted": "manage_org"},
    )


def test_an_act_that_fails_leaves_no_entry(world: World) -> None:
    api(world.owner).delete("/api/v1/orgs/acme/membership/")

    assert not AuditEntry.objects.exists()
