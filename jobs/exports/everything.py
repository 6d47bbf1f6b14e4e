"""What belongs to an organisation, table by table, for the export of all of it; and what is left out of that, and why.

A test holds both lists to the catalogue: a table or column that is added has to be in one of them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from psycopg import Connection, sql

OF_ORG = "one.org_id = %(org)s"

# By table, what its file is called.
FILES = {
    "orgs_org": "organisation",
    "orgs_membership": "members",
    "orgs_invitation": "invitations",
    "orgs_apikey": "keys",
    "orgs_secret": "secrets",
    "orgs_auditentry": "audit",
    "orgs_limithit": "limit_hits",
    "jobs_job": "jobs",
    "jobs_attempt": "attempts",
    "jobs_transition": "transitions",
    "jobs_logline": "log_lines",
    "jobs_artefact": "artefacts",
    "jobs_batch": "batches",
    "jobs_bulkoperation": "bulk_operations",
    "jobs_bulkoutcome": "bulk_outcomes",
    "jobs_bulkhold": "bulk_holds",
    "jobs_dependency": "dependencies",
    "jobs_ending": "endings",
    "jobs_ready": "waiting",
    "jobs_lease": "running",
    "jobs_queue": "queues",
    "jobs_queueshare": "queue_shares",
    "jobs_pause": "pauses",
    "jobs_schedule": "schedules",
    "jobs_scheduletick": "schedule_times",
    "jobs_limit": "limits",
    "jobs_limitbucket": "limit_tokens",
    "jobs_limitsweep": "limit_changes",
    "jobs_subscriber": "subscribers",
    "jobs_delivery": "deliveries",
    "jobs_alertrule": "alert_rules",
    "jobs_alert": "alerts",
    "jobs_seenevent": "seen_events",
    "jobs_workerprocess": "own_workers",
    "jobs_statuscount": "counts",
    "jobs_statusdelta": "count_changes",
    "jobs_payloadcount": "payload_bytes",
    "jobs_payloaddelta": "payload_byte_changes",
    "jobs_depthsample": "queue_depths",
    "jobs_runtimememory": "remembered_runs",
    "jobs_rundelta": "runs_to_remember",
    "jobs_learning": "learning",
    "jobs_accuracy": "accuracy",
    "jobs_rollup": "sums",
    "jobs_modelversion": "models",
    "jobs_label": "labels",
    "jobs_toclassify": "texts_to_read",
    "jobs_classifiedtext": "texts_read",
    "jobs_classifierversion": "classifiers",
    "jobs_classifiercount": "classifier_counts",
    "jobs_errorgroup": "errors",
    "jobs_errorcount": "error_counts",
    "jobs_savedview": "saved_views",
    "jobs_listsettings": "list_settings",
}  # fmt: skip
# Tables that have the column, and are not in it.
LEFT_OUT_TABLES = {
    "orgs_auditerased": "digests of entries of organisations that are erased: of one that is there, there are none",
    "jobs_searchentry": "words made of the jobs, to find them by",
    "jobs_searchfacet": "values that the jobs have, for filters to offer",
    "jobs_memorydelta": "of the version before, which goes on for the time of an upgrade: folded within a second",
    "jobs_accuracydelta": "of the version before, as above",
    "jobs_runtimehistory": "of a version before: what it held is in remembered_runs",
}
LEFT_OUT_COLUMNS = {
    ("orgs_apikey", "secret_sha256"): "a hash of the key",
    ("orgs_invitation", "token_sha256"): "a hash of what the link opens with",
    ("orgs_secret", "sealed"): "the value of a secret, sealed: nobody is shown it",
    ("jobs_subscriber", "secret"): "what deliveries are signed with",
    ("jobs_subscriber", "previous_secret"): "what deliveries were signed with",
    ("jobs_lease", "token"): "what the worker shows that runs it",
    ("jobs_job", "fingerprint"): "a hash over the payload, with what is hidden in it",
    ("jobs_batch", "fingerprint"): "a hash over payloads, with what is hidden in them",
    ("orgs_org", "erasing_at"): "of the deployment: never set where there is still something to export",
}
# More than the columns: members by their names.
BESIDE = {
    "orgs_membership": (
        "(SELECT username FROM orgs_user WHERE id = one.user_id) AS username",
        "(SELECT email FROM orgs_user WHERE id = one.user_id) AS email",
    ),
    "orgs_invitation": ("(SELECT username FROM orgs_user WHERE id = one.user_id) AS username",),
}
# Of tables that are told apart otherwise. Children by parent, so that no other organisation's are read past.
CHILD = "jobs_{parent} AS parent CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {key} = parent.id OFFSET 0) AS one"
CHILDREN = {"jobs_logline": ("job", "job_id"), "jobs_scheduletick": ("schedule", "schedule_id"),
            "jobs_limitbucket": ("limit", "limit_id")}  # fmt: skip
OWN = {"orgs_org": "one.id = %(org)s"}
# The catalogue's word for columns whose rows are long.
WIDE = {"jsonb", "bytea", "text"}

COLUMNS = """
    SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


class Part(NamedTuple):
    """One table's rows of the organisation: its file, the statement, and which of the columns hold JSON."""

    file: str
    statement: sql.SQL
    columns: tuple[str, ...]
    json: frozenset[int]
    wide: bool


def parts(session: Connection[Any]) -> Iterator[Part]:
    for table, file in FILES.items():
        found = [row for row in columns_of(session, table) if (table, row[0]) not in LEFT_OUT_COLUMNS]
        beside = BESIDE.get(table, ())
        chosen = ", ".join([*(f'one."{name}"' for name, _ in found), *beside])
        names = (*(name for name, _ in found), *(one.rpartition(" ")[2] for one in beside))
        json = frozenset(place for place, (_, kind) in enumerate(found) if kind == "jsonb")
        wide = any(kind in WIDE for _, kind in found)
        # of the catalogue's names and ours
        yield Part(file, sql.SQL(f"SELECT {chosen} FROM {rows_of(table)}"), names, json, wide)  # noqa: S608


def columns_of(session: Connection[Any], table: str) -> list[tuple[str, str]]:
    return session.execute(COLUMNS, [table]).fetchall()


def rows_of(table: str) -> str:
    if table in CHILDREN:
        parent, key = CHILDREN[table]
        return CHILD.format(parent=parent, table=table, key=key) + " WHERE parent.org_id = %(org)s"
    return f"{table} AS one WHERE {OWN.get(table, OF_ORG)}"
