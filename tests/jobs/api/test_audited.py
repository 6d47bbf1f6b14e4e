"""Whatever changes something over the API is in the audit trail: who, from where, in which request."""

from typing import Any

import pytest

from orgs.models import AuditEntry
from orgs.roles import Action
from tests.conftest import World
from tests.factories import api
from tests.jobs.api.test_rights import CALLS, PLATFORM, Call, headers_of, one_acme, paths

__all__ = ["one_acme", "paths"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_world")]

ADDRESS, CORRELATION = "203.0.113.9", "walk-1"
# They take a body and change nothing.
ONLY_ASK = {"api-predict"}
CHANGES = [call for call in CALLS if call.method != "GET" and call.route not in ONLY_ASK]
READS = {Action.READ, Action.SEE_AUDIT, Action.EXPORT_ORG}


def entries(before: int) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(pk__gt=before).order_by("pk"))


def newest() -> int:
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def send(call: Call, path: str, person: Any) -> Any:
    headers = {**headers_of(call), "X-Correlation-ID": CORRELATION}
    return getattr(api(person), call.method.lower())(path, call.body, headers=headers, REMOTE_ADDR=ADDRESS)


@pytest.mark.parametrize("call", CHANGES, ids=str)
def test_every_change_is_in_the_trail(world: World, paths: dict[str, str], call: Call) -> None:
    before = newest()

    assert send(call, paths[call.route], world.owner).status_code == call.good

    (entry, *_) = entries(before)
    assert (entry.actor, entry.actor_name, entry.org_id) == (world.owner, "owner", world.org.pk)
    assert (entry.address, entry.correlation_id) == (ADDRESS, CORRELATION)
    assert entry.action
    assert entry.target


@pytest.mark.parametrize("call", [call for call in CHANGES if call.action not in READS], ids=str)
def test_every_denial_is_in_the_trail(world: World, paths: dict[str, str], call: Call) -> None:
    before = newest()

    assert send(call, paths[call.route], world.viewer).status_code == 403

    (entry,) = entries(before)
    assert (entry.action, entry.actor_name, entry.target) == ("access.denied", "viewer", paths[call.route][:128])
    assert entry.detail == {"wanted": str(call.action)}


def test_every_action_that_changes_something_is_walked() -> None:
    """Those about members, keys and the organisation itself have their tests in tests/orgs/, workers theirs beside the
    verb."""
    of_orgs = {
        Action.BELONG,
        Action.MANAGE_MEMBERS,
        Action.MANAGE_KEYS,
        Action.OWN_KEYS,
        Action.CLOSE_ORG,
        Action.EXPORT_ORG,
        Action.COMMAND_WORKERS,
    }
    assert {call.action for call in CHANGES if call.action is not PLATFORM} - READS == set(Action) - READS - of_orgs
