"""Which version of a model is in use: by verb and by command, guarded against two at once."""

from io import StringIO

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.db import transaction

from jobs.errors import IllegalMove, ModelNotFound
from jobs.models import Learning, ModelVersion
from jobs.queue.versions import promote, rollback, switch, switch_back
from orgs.models import AuditEntry, Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import Background, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import make_org, make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(world: World) -> Scope:
    return Scope(world.owner, world.org, Role.ORG_ADMIN)


def in_use(org: Org) -> int | None:
    return ModelVersion.objects.for_org(org).filter(active=True).values_list("version", flat=True).first()


def command(*words: str) -> str:
    out = StringIO()
    call_command("model", *words, stdout=out)
    return out.getvalue()


def test_a_version_takes_the_place_of_another_and_it_is_written_down(admin: Scope) -> None:
    make_version(admin.org, 1, active=True)
    make_version(admin.org, 2)
    Learning.objects.create(org_id=admin.org.pk, worse_since="2026-01-01T00:00Z")

    promote(2, scope=admin)

    row = ModelVersion.objects.get(active=True)
    assert (row.version, row.previous, row.promoted_by) == (2, 1, "user:owner")
    assert row.promoted_at is not None
    entry = AuditEntry.objects.get(action="model.promote")
    assert (entry.org, entry.actor, entry.target) == (admin.org, admin.user, "version 2")
    assert entry.detail == {"old": 1, "new": 2, "by": "user:owner"}
    assert Learning.objects.get().worse_since is None


def test_going_back_goes_on_back(admin: Scope) -> None:
    make_version(admin.org, 1, active=True)
    for version in (2, 3):
        make_version(admin.org, version)
        promote(version, scope=admin)

    assert [rollback(scope=admin), rollback(scope=admin)] == [2, 1]

    with pytest.raises(IllegalMove, match="No version was in use before version 1"):
        rollback(scope=admin)
    assert in_use(admin.org) == 1
    assert AuditEntry.objects.filter(action="model.rollback").count() == 2


def test_what_cannot_be_put_into_use_leaves_the_one_that_is(admin: Scope, world: World) -> None:
    make_version(admin.org, 1, active=True, previous=7)
    make_version(admin.org, 2, weights=b"broken")
    make_version(world.rival, 3)

    for version, error in [(1, IllegalMove), (2, IllegalMove), (3, ModelNotFound), (2**40, ModelNotFound)]:
        with pytest.raises(error):
            promote(version, scope=admin)
    with pytest.raises(IllegalMove, match="Version 7, in use before version 1, is no longer kept"):
        rollback(scope=admin)

    assert in_use(admin.org) == 1
    assert in_use(world.rival) is None
    assert not AuditEntry.objects.filter(action__startswith="model.").exists()


def test_without_a_model_there_is_none_to_go_back_from(admin: Scope) -> None:
    make_version(admin.org, 1)

    with pytest.raises(IllegalMove, match="No model is in use"):
        rollback(scope=admin)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
def test_it_takes_an_org_admin(world: World, role: Role) -> None:
    make_version(world.org, 1)
    with pytest.raises(PermissionDenied):
        promote(1, scope=Scope(world.operator, world.org, role))


@pytest.mark.parametrize("expected", [0, 2])
def test_nothing_moves_when_another_is_in_use_than_was_expected(world: World, expected: int) -> None:
    for version in (1, 2, 3):
        make_version(world.org, version, active=version == 1)

    with pytest.raises(IllegalMove, match="meanwhile"):
        switch(world.org, 3, by="leader", expected=expected)

    assert in_use(world.org) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_gets_through() -> None:
    org = make_org("acme")
    for version in (1, 2, 3):
        make_version(org, version, active=version == 1)

    with transaction.atomic():
        switch(org, 2, by="command")
        other = Background(lambda: switch(org, 3, by="command"))
        eventually(waiting_for_locks)

    refused = other.result()
    assert isinstance(refused, IllegalMove)
    assert str(refused) == "Another version of the model was put into use meanwhile."
    assert in_use(org) == 2


def test_the_command_lists_promotes_and_goes_back(world: World) -> None:
    make_version(world.org, 1, active=True, reason="promoted: 0.9 against 1.0 of ewma", source="leader")
    make_version(world.org, 2, reason="kept back: 1.1 is no better than 0.9 of version 1", source="command")

    listed = command("--org", "acme").splitlines()
    said = [command("--org", "acme", *words) for words in (["promote", "2"], ["rollback"])]

    assert listed[0].startswith("     2 ")
    assert listed[0].endswith("by command  kept back: 1.1 is no better than 0.9 of version 1")
    assert listed[1].startswith("*    1 ")
    assert said == ["Version 2 is in use.\n", "Version 1 is in use again.\n"]
    assert AuditEntry.objects.get(action="model.promote").detail["by"] == "command"


def test_the_command_says_what_is_wrong(world: World) -> None:
    assert command("--org", "rival", "list") == "rival has no model yet.\n"
    for words, wrong in [
        (["--org", "nowhere"], "no organisation 'nowhere'"),
        (["--org", "acme", "promote", "9"], "no such version"),
        (["--org", "acme", "rollback"], "No model is in use"),
    ]:
        with pytest.raises(CommandError, match=wrong):
            command(*words)


def test_going_back_is_refused_when_another_was_put_into_use_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (1, 2, 3):
        make_version(world.org, version, active=version == 2, previous=1 if version == 2 else None)

    def meanwhile(*_: object) -> None:
        ModelVersion.objects.update(active=False)
        ModelVersion.objects.filter(version=3).update(active=True)

    monkeypatch.setattr("jobs.queue.versions.check_usable", meanwhile)
    with pytest.raises(IllegalMove, match="meanwhile"):
        switch_back(world.org, by="command")

    # what was done within the refused act is undone with it
    assert in_use(world.org) == 2
