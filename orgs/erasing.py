"""The end of an organisation: all of it goes, batch by batch, by the leader (jobs.queue.erase).

begin() is where it can no longer be restored: one statement sets erasing_at where erase_at has passed, and whoever
restores says `WHERE erasing_at IS NULL`; of the two one waits for the other's lock and finds that it came too late.

What it has in the trail goes as well, and the seals still tell whether anything else was touched: for each entry its
digest stays, without a word of it, and an entry `org.erase` of the platform's own says which were erased together.
docs/decisions/0020-erasure.md.
"""

import logging
from hashlib import sha256

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from psycopg import sql

from orgs import audit
from orgs.audit_erased import ERASE
from orgs.audit_seals import DIGEST
from orgs.models import Org, RateBucket, User
from orgs.rates import buckets_of
from orgs.row_security import PREFIXES, role_of, tables_of

log = logging.getLogger(__name__)

BATCH = 5_000
# Entries of the trail that are erased together. A seal is waited for in between.
TRAIL_BATCH = 2_500
ERASED = "org.erased"
# Their rows stay until the end, or go in a way of their own.
TRAIL = frozenset({"orgs_auditentry", "orgs_auditerased"})

BEGIN = """
    UPDATE orgs_org SET erasing_at = statement_timestamp()
    WHERE id = (SELECT id FROM orgs_org WHERE erase_at < statement_timestamp() AND erasing_at IS NULL
                ORDER BY erase_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id
"""
SWEEP = "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE org_id = %s LIMIT %s))"
# No table name of these comes from a caller; the text of DIGEST is ours.
UNCOVERED = f"""
    SELECT id, {DIGEST} FROM orgs_auditentry AS entry
    WHERE org_id = %s AND id <= (SELECT last_id FROM orgs_audithead)
      AND NOT EXISTS (SELECT FROM orgs_auditerased AS erased WHERE erased.id = entry.id)
    ORDER BY at LIMIT %s
"""  # noqa: S608
RANGES = "SELECT range_agg(int8range(id, id, '[]'))::text FROM unnest(%s::bigint[]) AS id"
STAND_IN = """
    INSERT INTO orgs_auditerased (org_id, covered_by, id, digest)
    SELECT %s, %s, one.* FROM unnest(%s::bigint[], %s::bytea[]) AS one
"""
NEWEST_COVER = """
    SELECT max(covered_by), max(covered_by) <= (SELECT last_id FROM orgs_audithead)
    FROM orgs_auditerased WHERE org_id = %s
"""
UNCOVER = """
    DELETE FROM orgs_auditentry
    WHERE id = ANY (ARRAY(SELECT id FROM orgs_auditerased WHERE org_id = %s AND covered_by = %s))
"""
SETTLED = (
    "SELECT FROM orgs_org WHERE id = %s AND erasing_at < statement_timestamp() - make_interval(secs => %s) FOR UPDATE"
)


def begin() -> None:
    """Take the next one whose day has come, if there is one. From here on nobody can restore it."""
    with connection.cursor() as cursor:
        cursor.execute(BEGIN)
        for (org_id,) in cursor.fetchall():
            log.warning("an organisation is being erased", extra={"org": org_id})


def under_way() -> list[int]:
    return list(Org.objects.filter(erasing_at__isnull=False).order_by("erasing_at").values_list("pk", flat=True))


def tables() -> list[str]:
    """Those with rows of organisations, as the catalogue has them: one that is added is erased with the others."""
    found = tables_of(connection, role_of(connection))
    return [
        table.name for table in found if table.of_org and table.name.startswith(PREFIXES) and table.name not in TRAIL
    ]


def sweep(table: str, org_id: int, batch: int = BATCH) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(SWEEP).format(table=sql.Identifier(table)), [org_id, batch])
        return int(cursor.rowcount)


def forget(org_id: int) -> int:
    """What names it elsewhere. People stay; where they act is for them to choose anew."""
    User.objects.filter(active_org=org_id).update(active_org=None)
    RateBucket.objects.filter(name__in=buckets_of(org_id)).delete()
    kind = ContentType.objects.get_for_model(Org)
    LogEntry.objects.filter(content_type=kind, object_id=str(org_id)).delete()
    return 0


# --- the trail ------------------------------------------------------------------------------------------------------


def erase_trail(org_id: int, batch: int = TRAIL_BATCH) -> int | None:
    """Stand digests in for the next entries, or take away those that have them; None while a seal is waited for.

    Entries go only once the entry that says so is sealed itself: what verify_audit finds is whole at any moment.
    """
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_COVER, [org_id])
        cover, is_sealed = cursor.fetchone()
        if cover is not None:
            if not is_sealed:
                return None
            cursor.execute(UNCOVER, [org_id, cover])
            if cursor.rowcount:
                return int(cursor.rowcount)
        cursor.execute(UNCOVERED, [org_id, batch])
        rows = sorted((row_id, bytes(digest)) for row_id, digest in cursor.fetchall())
        if rows:
            stand_in(org_id, rows)
            return len(rows)
        cursor.execute("SELECT EXISTS (SELECT FROM orgs_auditentry WHERE org_id = %s)", [org_id])
        return None if cursor.fetchone()[0] else 0


def stand_in(org_id: int, rows: list[tuple[int, bytes]]) -> None:
    ids, digests = zip(*rows, strict=True)
    whole = sha256(b"".join(digests)).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(RANGES, [list(ids)])
        (ranges,) = cursor.fetchone()
        cover = audit.record(ERASE, target=org_id, rows=len(rows), ids=ranges, sha256=whole)
        cursor.execute(STAND_IN, [org_id, cover.pk, list(ids), list(digests)])


# --- the end --------------------------------------------------------------------------------------------------------


def finish(org_id: int, settle_seconds: float) -> bool | None:
    """Take away the organisation itself. False where rows of it came meanwhile, None where some still may.

    Requests and workers that began before are over after `settle_seconds`.
    """
    with connection.cursor() as cursor:
        # held, so that nothing new can refer to it
        cursor.execute(SETTLED, [org_id, settle_seconds])
        if not cursor.rowcount:
            return None
        for table in (*tables(), "orgs_auditentry"):
            name = sql.Identifier(table)
            cursor.execute(sql.SQL("SELECT FROM {table} WHERE org_id = %s LIMIT 1").format(table=name), [org_id])
            if cursor.rowcount:
                log.info("rows of an organisation came while it was erased", extra={"org": org_id, "table": table})
                return False
        forget(org_id)
        cursor.execute("DELETE FROM orgs_org WHERE id = %s", [org_id])
    audit.record(ERASED, target=org_id)
    log.warning("an organisation is erased", extra={"org": org_id})
    return True
