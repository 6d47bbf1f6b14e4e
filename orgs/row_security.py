"""What stands in PostgreSQL for orgs.walls: the role of the web, its grants, and policies on all that is a tenant's.

raise_walls() brings it about, after each `migrate`: for new tables, and for a database that was restored under another
role. problems() says what is missing.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

# What may stand in a statement as it is.
ROLE_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
# Two deployments with a role each in one cluster must not pass into each other's databases by the web's role.
SUFFIX = "_web"
PREFIXES = ("orgs_", "jobs_", "analytics_")
SAID = "nullif(current_setting('app.org', true), '')::bigint"


class Policy(NamedTuple):
    """Which rows may be seen, and which written."""

    seen: str
    written: str


def both(condition: str) -> Policy:
    return Policy(condition, condition)


BY_ORG = both(f"org_id = {SAID}")
# Of tables whose rows are told apart otherwise than by a column org_id alone.
OTHERWISE = {
    "orgs_org": both(f"id = {SAID}"),
    # a child is its parent's, which is asked for behind the same wall
    "jobs_logline": both("EXISTS (SELECT FROM jobs_job AS parent WHERE parent.id = job_id)"),
    "jobs_scheduletick": both("EXISTS (SELECT FROM jobs_schedule AS parent WHERE parent.id = schedule_id)"),
    "jobs_limitbucket": both("EXISTS (SELECT FROM jobs_limit AS parent WHERE parent.id = limit_id)"),
    # workers of the deployment are everybody's to see
    "jobs_workerprocess": Policy(f"org_id IS NULL OR org_id = {SAID}", f"org_id = {SAID}"),
}
# Tables of ours without a wall, and why.
OPEN_TABLES = {
    "orgs_user": "a person is of no organisation, or of several",
    "orgs_signin": "of a person, whichever organisation he acts in",
    "orgs_namekey": "sealed: the key of the next",
    "orgs_removedname": "digests of names that nobody has any more, by people",
    "orgs_ratebucket": "counts of calls, by names that are numbers or hashes, asked for before it is known who calls",
    "orgs_auditseal": "hashes over the trail of all organisations, made by the leader",
    "orgs_audithead": "the newest of these hashes",
    "orgs_user_groups": "Django's; of no use here",
    "orgs_user_user_permissions": "Django's; of no use here",
    "jobs_backlog": "of a queue over all organisations: profiles in numbers, from which each start is predicted",
    "jobs_leaderterm": "of the deployment",
    "jobs_release": "of the deployment: its versions",
    "jobs_rollupmark": "of the leader: ids up to which attempts of all organisations are summed up",
    "jobs_total": "of the deployment: sums over all organisations since the beginning, by job type",
    "jobs_follower": "how far the leader has followed what happened, in all organisations",
    "jobs_streamposition": "how far each receiver of the event stream was told, of all organisations",
}
# The trail is added to and read; migrations are not the web's.
NOT_GRANTED = {
    "orgs_auditentry": ("UPDATE", "DELETE"),
    "orgs_auditerased": ("INSERT", "UPDATE", "DELETE"),
    "orgs_auditseal": ("INSERT", "UPDATE", "DELETE"),
    "orgs_audithead": ("INSERT", "UPDATE", "DELETE"),
    "orgs_namekey": ("INSERT", "UPDATE", "DELETE"),
    "orgs_removedname": ("INSERT", "UPDATE", "DELETE"),
    "jobs_follower": ("INSERT", "UPDATE", "DELETE"),
    "jobs_streamposition": ("INSERT", "UPDATE", "DELETE"),
    "jobs_total": ("INSERT", "UPDATE", "DELETE"),
    "django_migrations": ("INSERT", "UPDATE", "DELETE"),
}
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


class NotWalled(psycopg.OperationalError):
    """Row-level security is required, and the web has no role that it holds for."""

    code = "database_not_walled"

    def __init__(self) -> None:
        super().__init__(
            "This database does not hold web requests to their organisation, and SMARTQUEUE_ROW_SECURITY is required."
            " `manage.py check --database default` says what is missing."
        )


# --- What is there --------------------------------------------------------------------------------------------------

# For a statement that a new session begins with: the role of the web, where this one may act as it.
WEB_ROLE = f"""(
    SELECT rolname FROM pg_roles
    WHERE rolname = session_user || '{SUFFIX}' AND NOT rolsuper AND NOT rolbypassrls
      AND pg_has_role(oid, 'MEMBER') AND has_table_privilege(oid, to_regclass('orgs_org'), 'SELECT'))"""  # noqa: S608
ROLE_STATE = f"""
    SELECT session_user || '{SUFFIX}', session_user, web.oid IS NOT NULL,
           coalesce(web.rolsuper OR web.rolbypassrls, false), coalesce(pg_has_role(web.oid, 'MEMBER'), false),
           current_schema()
    FROM (VALUES (true)) AS one (row) LEFT JOIN pg_roles AS web ON web.rolname = session_user || '{SUFFIX}'
"""  # noqa: S608
# Tables of our applications, with what they lack; `web` is NULL where the role is not there.
TABLE_STATE = """
    SELECT c.relname AS name, pg_get_userbyid(c.relowner) AS owner,
           EXISTS (SELECT FROM pg_attribute
                   WHERE attrelid = c.oid AND attname = 'org_id' AND NOT attisdropped) AS of_org,
           c.relrowsecurity, c.relforcerowsecurity,
           EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = 'one_org') AS one_org,
           EXISTS (SELECT FROM pg_policy
                   WHERE polrelid = c.oid AND polname = 'system' AND c.relowner = ANY (polroles)) AS owner_passes,
           pg_has_role(session_user, c.relowner, 'USAGE') AS is_ours,
           web.oid IS NOT NULL AND pg_has_role(web.oid, c.relowner, 'USAGE') AS is_of_web,
           coalesce(has_table_privilege(web.oid, c.oid, 'SELECT'), false) AS granted,
           ARRAY(SELECT word FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) AS word
                 WHERE has_table_privilege(web.oid, c.oid, word)) AS writes
    FROM pg_class AS c LEFT JOIN pg_roles AS web ON web.rolname = %s
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
"""


class Role(NamedTuple):
    """The role of the web, as this session finds it."""

    name: str
    login: str
    exists: bool
    passes: bool
    is_member: bool
    schema: str


class Table(NamedTuple):
    name: str
    owner: str
    of_org: bool
    enabled: bool
    forced: bool
    one_org: bool
    owner_passes: bool
    is_ours: bool
    is_of_web: bool
    granted: bool
    # What else the web may do with it.
    writes: list[str]

    @property
    def too_much(self) -> bool:
        """What later tables are granted by default is more than the web is to have."""
        return bool(set(self.writes) & set(NOT_GRANTED.get(self.name, ())))

    @property
    def policy(self) -> Policy | None:
        if not self.name.startswith(PREFIXES):
            return None
        found = OTHERWISE.get(self.name, BY_ORG)
        # where migrations were taken back, a table may not have the column yet
        return found if self.of_org or "org_id" not in found.seen else None

    @property
    def whole(self) -> bool:
        return self.enabled and self.forced and self.one_org and self.owner_passes


def role_of(connection: BaseDatabaseWrapper) -> Role:
    with connection.cursor() as cursor:
        cursor.execute(ROLE_STATE)
        return Role(*cursor.fetchone())


def tables_of(connection: BaseDatabaseWrapper, role: Role) -> list[Table]:
    with connection.cursor() as cursor:
        cursor.execute(TABLE_STATE, [role.name])
        return [Table(*row) for row in cursor.fetchall()]


# --- What is brought about ------------------------------------------------------------------------------------------


def raise_walls(connection: BaseDatabaseWrapper) -> None:
    """Whatever is missing and this role may make. Each table in a transaction of its own: it is locked for a moment."""
    role = made_role(connection, role_of(connection))
    tables = tables_of(connection, role)
    for table in tables:
        if table.policy and table.is_ours and not table.whole:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                for statement in wall_of(table, table.policy):
                    cursor.execute(statement)
    if role.is_member and any(table.too_much or not table.granted for table in tables if table.is_ours):
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for statement in grants_to(role):
                cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {WEB_ROLE}")
        begun_with(connection.connection, cursor.fetchone()[0])


def begun_with(session: Any, web_role: str | None) -> None:
    """Keep with a session as whom the requests that it serves act."""
    session.web_role = web_role if settings.ROW_SECURITY != "off" else None


def wall_of(table: Table, policy: Policy) -> Iterator[str]:
    """Closed but for rows of the organisation that is said; its owner passes, as whom all but the web acts."""
    yield f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS one_org ON {table.name}"
    yield f"CREATE POLICY one_org ON {table.name} USING ({policy.seen}) WITH CHECK ({policy.written})"
    yield f"DROP POLICY IF EXISTS system ON {table.name}"
    yield f'CREATE POLICY system ON {table.name} TO "{table.owner}" USING (true) WITH CHECK (true)'


def made_role(connection: BaseDatabaseWrapper, role: Role) -> Role:
    """The role, made where this session may make roles; as it was else."""
    if role.is_member or not ROLE_NAME.fullmatch(role.name):
        return role
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for statement in making(role):
                cursor.execute(statement)
    except DatabaseError as error:
        if not isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
            raise
    return role_of(connection)


def making(role: Role) -> Iterator[str]:
    """What whoever may make roles says for it."""
    if not role.exists:
        yield f'CREATE ROLE "{role.name}" NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT'
    yield f'GRANT "{role.name}" TO "{role.login}"'


def grants_to(role: Role) -> Iterator[str]:
    """To all tables there are, and to those that migrations will make: each is granted before its wall is raised."""
    schema, web, rights = f'"{role.schema}"', f'"{role.name}"', ", ".join(RIGHTS)
    yield f"GRANT USAGE ON SCHEMA {schema} TO {web}"
    yield f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {web}"
    yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {web}"
    yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {rights} ON TABLES TO {web}"
    yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {web}"
    for table, taken in NOT_GRANTED.items():
        yield f"REVOKE {', '.join(taken)} ON {table} FROM {web}"


# --- What is missing ------------------------------------------------------------------------------------------------


def problems(connection: BaseDatabaseWrapper) -> list[str]:
    """In the operator's words, with what to do; none before the first migrate."""
    role = role_of(connection)
    tables = [table for table in tables_of(connection, role) if table.name.startswith(PREFIXES)]
    return [*wrong_with(role), *wrong_with_tables(role, tables)] if tables else []


def wrong_with(role: Role) -> Iterator[str]:
    if not ROLE_NAME.fullmatch(role.name):
        yield f"No role of the web can stand beside {role.login!r}: it is not of small letters, digits, - and _."
    elif not role.is_member:
        todo = "; ".join(making(role))
        yield f"Web requests act as {role.login}, who passes. Say as who may make roles: {todo}; and migrate."
    elif role.passes:
        yield f"{role.name} is a superuser or has BYPASSRLS, so web requests act as {role.login}, who passes."


def wrong_with_tables(role: Role, tables: Sequence[Table]) -> Iterator[str]:
    ours = [table for table in tables if table.policy]
    found = {
        "No row-level security, or not FORCE, or no policy; migrate as their owner": [
            table.name for table in ours if not table.whole
        ],
        f"{role.login} is no member of their owner and sees none of": [
            table.name for table in ours if not table.is_ours
        ],
        f"{role.name} is their owner, or a member of the owner, and passes": [
            table.name for table in ours if table.is_of_web
        ],
        f"{role.name} may not read them; migrate as their owner": [
            table.name for table in tables if role.is_member and not table.granted
        ],
        f"{role.name} may write what it is not to; migrate as their owner": [
            table.name for table in tables if role.is_member and table.is_ours and table.too_much
        ],
    }
    for what, names in found.items():
        if names:
            yield f"{what}: {', '.join(sorted(names))}."
