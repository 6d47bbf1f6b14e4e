"""Seals over the audit trail: the leader hashes its rows in batches, each seal over the one before it.

A trigger refuses changes, but a superuser can do without triggers. Afterwards the rows no longer fit their seal, and
who makes the seal fit has to make all later ones fit, up to a hash that has long been noted elsewhere.

A seal covers all rows up to an id, for ever; so it must be certain that below it no more can come (orgs.settled).
"""

import json
import logging
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from orgs.models import AuditHead, AuditSeal
from orgs.settled import Settled

log = logging.getLogger(__name__)

BATCH = 10_000
# The first bytes of each row's digest that a seal keeps, to name the row that was changed.
KEPT_BYTES = 8
# The form of what is hashed, so that a later one can be told from it.
FORM = 1
NOTHING = "0" * 64

# Every column: a test says so. Times as numbers, for text depends on the session.
DIGEST = """sha256(convert_to(jsonb_build_array(id, org_id, actor_id, actor_name, key_prefix, action, target, detail,
    address::text, correlation_id, (extract(epoch FROM at) * 1000000)::bigint)::text, 'UTF8'))"""
# The text is ours, and nothing in it comes from a caller.
BATCH_OF_ROWS = f"""
    SELECT count(*), min(id), max(id), range_agg(int8range(id, id, '[]'))::text,
           string_agg(substr(digest, 1, {KEPT_BYTES}), '' ORDER BY id),
           encode(sha256(string_agg(digest, '' ORDER BY id)), 'hex'), clock_timestamp()
    FROM (
        SELECT id, {DIGEST} AS digest
        -- first so many, then their digests: where it sorts, all rows there are would be hashed for each batch
        FROM (SELECT * FROM orgs_auditentry WHERE id > %s AND id <= %s ORDER BY id LIMIT %s) AS several
    ) AS batch
"""  # noqa: S608


class Sealer:
    """One pass a call, inside the leader's transaction; says whether there is more to be sealed at once."""

    def __init__(self) -> None:
        self.settled = Settled("orgs_auditentry")

    def __call__(self, epoch: int, *, batch: int = BATCH) -> bool:
        head = AuditSeal.objects.order_by("-number").defer("digests", "ids").first()
        sealed_id = head.last_id if head else 0
        upto = self.settled.upto(sealed_id)
        if upto == sealed_id:
            return False
        # a statement of its own: it sees what they committed
        made = sealed(head, upto, epoch, batch)
        if made is None:
            self.settled.mark = None
            return False
        return made.last_id < upto


def sealed(head: AuditSeal | None, last_id: int, epoch: int, batch: int) -> AuditSeal | None:
    """The next seal, over up to `batch` rows; None where there are none."""
    with connection.cursor() as cursor:
        cursor.execute(BATCH_OF_ROWS, [head.last_id if head else 0, last_id, batch])
        rows, first_id, last_id, ids, digests, rows_sha256, now = cursor.fetchone()
    if not rows:
        return None
    seal = AuditSeal(
        number=head.number + 1 if head else 1,
        first_id=first_id,
        last_id=last_id,
        rows=rows,
        ids=ids,
        digests=bytes(digests),
        rows_sha256=rows_sha256,
        previous=head.sha256 if head else NOTHING,
        made_at=now,
        epoch=epoch,
    )
    seal.sha256 = hash_of(seal)
    seal.save(force_insert=True)
    AuditHead.objects.update_or_create(
        id=1, defaults={"number": seal.number, "last_id": seal.last_id, "sha256": seal.sha256}
    )
    # Outside of the database, where nobody who can write there can change it.
    transaction.on_commit(lambda: log.info("the audit trail is sealed", extra=described(seal)))
    return seal


def described(seal: AuditSeal) -> dict[str, Any]:
    return {"seal": seal.number, "rows": seal.rows, "last_id": seal.last_id, "sha256": seal.sha256}


def hash_of(seal: AuditSeal) -> str:
    """Over all columns but itself."""
    parts = [
        FORM,
        seal.number,
        seal.first_id,
        seal.last_id,
        seal.rows,
        seal.ids,
        sha256(seal.digests).hexdigest(),
        seal.rows_sha256,
        seal.previous,
        microseconds(seal.made_at),
        seal.epoch,
    ]
    return sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


def microseconds(moment: datetime) -> str:
    """Alike in every zone."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
