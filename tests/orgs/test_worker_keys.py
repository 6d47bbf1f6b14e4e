"""Keys of own workers over REST: made once, shown once, listed, revoked, audited."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from orgs.good_keys import key_of
from orgs.models import ApiKey, AuditEntry
from tests.conftest import World
from tests.factories import api
from tests.smartqueue.test_openapi import BY_ID, assert_fits

pytestmark = pytest.mark.django_db

KEYS = "/api/v1/worker-keys/"


def make(world: World, **fields: Any) -> dict[str, Any]:
    response = api(world.owner).post(KEYS, {"name": "gpu", **fields})
    assert response.status_code == 201, response.content
    return dict(response.json())


def test_the_token_is_shown_once_and_only_its_hash_kept(world: World) -> None:
    made = make(world)

    assert made["token"].startswith(f"sq_live_{made['id']}_")
    secret = made["token"].rsplit("_", 1)[1]
    assert len(secret) == 64
    row = ApiKey.objects.values().get()
    assert secret not in repr(row)
    listed = api(world.owner).get(KEYS)
    assert secret not in listed.content.decode()
    assert listed.json()["items"] == [{name: value for name, value in made.items() if name != "token"}]
    assert (made["role"], made["created_by"], made["expires_at"], made["revoked_at"]) == ("worker", "owner", None, None)
    (found,) = [key_of(made["token"])]
    assert found is not None
    assert found.org == world.org


def test_a_key_expires_when_it_was_told_to(world: World) -> None:
    make(world, expires_in_days=30)

    span = ApiKey.objects.annotate(span=F("expires_at") - F("created_at")).get().span  # type: ignore[attr-defined]
    assert round(span.total_seconds()) == 30 * 86_400


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "x" * 65}, {"name": "a\u202eb"}, {"name": 1}, {"name": "x", "role": "org_admin"},
     {"name": "x", "expires_in_days": 0}, {"name": "x", "expires_in_days": 3651},
     {"name": "x", "expires_in_days": "1"}, {"name": "x", "org": "rival"}],
)  # fmt: skip
def test_what_is_not_right_makes_no_key(world: World, body: dict[str, Any]) -> None:
    assert api(world.owner).post(KEYS, body).status_code == 400
    assert not ApiKey.objects.exists()


def test_only_roles_that_there_are_can_be_stored(world: World) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(org=world.org, name="x", prefix="x", secret_sha256="x", role="owner")


def test_keys_of_others_are_not_there(world: World) -> None:
    made = make(world)
    outsider = api(world.outsider)

    assert outsider.get(KEYS).json()["items"] == []
    assert outsider.delete(f"{KEYS}{made['id']}/").status_code == 404
    assert outsider.delete(f"{KEYS}none/").status_code == 404

    assert key_of(made["token"]) is not None


def test_revoking_twice_is_no_error_and_one_act(world: World) -> None:
    made = make(world)

    for _ in range(2):
        assert api(world.owner).delete(f"{KEYS}{made['id']}/").status_code == 204

    assert key_of(made["token"]) is None
    acts = AuditEntry.objects.filter(action__startswith="key.").order_by("pk")
    assert [(act.action, act.target, act.actor_name) for act in acts] == [
        ("key.create", made["id"], "owner"),
        ("key.revoke", made["id"], "owner"),
    ]
    assert acts[0].detail == {"name": "gpu", "role": "worker", "expires_at": None}
    assert api(world.owner).get(KEYS).json()["items"][0]["revoked_at"] is not None


def test_answers_are_as_documented(world: World) -> None:
    client = api(world.owner)
    for operation_id, response in (
        ("create_worker_key", client.post(KEYS, {"name": "a"})),
        ("list_worker_keys", client.get(KEYS)),
    ):
        documented = BY_ID[operation_id].says["responses"][str(response.status_code)]
        assert_fits(response.json(), documented["content"]["application/json"]["schema"])
