"""docs/upgrades.md: what a migration may do to tables that are great and in use, asked of the SQL that it runs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import Q
from django.db.models.functions import Now

pytestmark = pytest.mark.django_db(transaction=True)

# Up to these they were written before the rules, and are released: they stay as they are.
LAST_BEFORE = {"jobs": "0007_seen_events", "orgs": "0002_audit_append_only"}
# They have a row for each job, or more, or are written by every statement of the queue.
GREAT = {
    "jobs_scheduletick",
    "jobs_job", "jobs_attempt", "jobs_transition", "jobs_logline", "jobs_artefact", "jobs_ready", "jobs_lease",
    "jobs_dependency", "jobs_ending", "jobs_batch", "jobs_statusdelta", "jobs_statuscount", "jobs_depthsample",
    "jobs_payloaddelta", "jobs_payloadcount",
    "jobs_runtimememory", "jobs_rundelta", "jobs_limitbucket", "jobs_seenevent", "jobs_delivery", "orgs_auditentry",
    "jobs_bulkoutcome", "jobs_accuracy", "jobs_rollup", "jobs_toclassify", "jobs_classifiedtext", "jobs_searchentry",
    "jobs_searchfacet", "jobs_errorcount", "jobs_errorgroup",
}  # fmt: skip

# A statement on a great table that is like the first, unless it is also like the second, breaks the rule.
RULES = {
    "an index is made CONCURRENTLY": (r"CREATE (UNIQUE )?INDEX", r"CONCURRENTLY"),
    "a constraint is added NOT VALID": (r"ADD CONSTRAINT", r"NOT VALID|USING INDEX"),
    "a column does not change its type": (r"ALTER COLUMN \S+ (SET DATA )?TYPE", None),
    "a column does not become NOT NULL": (r"ALTER COLUMN \S+ SET NOT NULL", None),
    "a column is not renamed, nor a table": (r"RENAME (COLUMN|TO|CONSTRAINT)", None),
    "a new column is plain": (r"ADD COLUMN.*\b(GENERATED|UNIQUE|PRIMARY KEY|SERIAL)", None),
    "a new column's default is a constant": (r"ADD COLUMN.*\bDEFAULT\s+(\(?\w+\(|.*TIMESTAMP)", None),
    "a new column refers to no other table": (r"ADD COLUMN.*\bREFERENCES\b", None),
    "rows are not filled by one statement": (r"^(UPDATE|DELETE FROM|WITH)\b", None),
    "a table is not locked, emptied or written anew": (r"^(LOCK|TRUNCATE|CLUSTER|VACUUM FULL)\b", None),
}  # fmt: skip


def sql_of(migration: migrations.Migration, state: ProjectState) -> list[str]:
    """The statements it would run, comments left out, each on one line."""
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state.clone(), editor, collect_sql=True)
    text = "\n".join(line for line in editor.collected_sql if not line.startswith("--"))
    bodies = re.sub(r"\$\$.*?\$\$", "$$", text, flags=re.DOTALL)
    one_line = (re.sub(r"--[^\n]*", "", statement) for statement in bodies.split(";"))
    return [" ".join(statement.split()) for statement in one_line if statement.strip()]


def tables_of(statement: str) -> set[str]:
    return set(re.findall(r"\w+", statement)) & GREAT


def broken(migration: migrations.Migration, state: ProjectState) -> list[str]:
    """What it does that the rules forbid."""
    statements = sql_of(migration, state)
    new = {name for text in statements for name in re.findall(r'^CREATE TABLE "?(\w+)', text)}
    found = [
        f"{rule}: {statement}"
        for statement in statements
        if tables_of(statement) - new
        for rule, (like, unless) in RULES.items()
        if re.search(like, statement, re.IGNORECASE) and not (unless and re.search(unless, statement, re.IGNORECASE))
    ]
    return [*found, *broken_as_a_whole(migration, statements, new)]


def broken_as_a_whole(migration: migrations.Migration, statements: list[str], new: set[str]) -> Iterator[str]:
    text = "; ".join(statements)
    changed = {table for one in statements if not one.startswith("CREATE TABLE") for table in tables_of(one)} - new
    if len(changed) > 1:
        yield f"the locks of two great tables are not waited for in one transaction: {sorted(changed)}"
    if "NOT VALID" in text and "VALIDATE CONSTRAINT" in text:
        yield "a constraint is validated in a migration of its own"
    for table, column in re.findall(r'ALTER TABLE "?(\w+)"? ADD COLUMN ("?\w+"?)[^;]* NOT NULL', text):
        if table in changed and f"ALTER COLUMN {column} DROP DEFAULT" in text:
            yield f"a new column is null or has a default in the database, for those who do not know it: {column}"
    if changed and any(isinstance(one, migrations.RunPython) for one in migration.operations):
        yield "rows are filled in batches by a process, not while a table is locked"
    if not migration.atomic and len(migration.operations) > 1:
        yield "without a transaction there is one operation, so that it can be begun again"
    if re.search(r"DROP (COLUMN|TABLE)", text) and not (migration.__doc__ or "").startswith("Contract:"):
        yield 'what is dropped is used by no released code any more: its docstring begins with "Contract:"'


def after_the_rules() -> Iterator[tuple[migrations.Migration, ProjectState]]:
    """Each later migration, and what there is when it runs."""
    loader = MigrationLoader(connection)
    for key in sorted(loader.graph.nodes):
        app, name = key
        if app in LAST_BEFORE and name > LAST_BEFORE[app]:
            migration = loader.get_migration(*key)
            # the documentation stands in the module
            module = __import__(type(migration).__module__, fromlist=["Migration"])
            migration.__doc__ = module.__doc__
            yield migration, loader.project_state(key, at_end=False)


def test_migrations_keep_the_rules() -> None:
    found = {str(migration): broken(migration, state) for migration, state in after_the_rules()}
    assert {name: rules for name, rules in found.items() if rules} == {}


def test_every_table_of_jobs_is_great_or_known_to_be_small() -> None:
    small = {
        *("Alert", "AlertRule", "Backlog", "BulkHold", "BulkOperation", "ClassifierCount", "ClassifierVersion"),
        *("Follower", "Label", "LeaderTerm", "Learning", "Limit", "LimitSweep", "ListSettings", "ModelVersion"),
        *("Pause", "Queue", "QueueShare", "Release", "RollupMark", "SavedView", "Schedule", "StreamPosition"),
        *("Subscriber", "Total", "WorkerProcess"),
    }
    state = MigrationLoader(connection).project_state()
    tables = {model._meta.db_table: model.__name__ for model in state.apps.get_models()}
    unknown = {table for table, name in tables.items() if table.startswith("jobs_") and name not in small} - GREAT
    assert unknown == set()
    assert set(tables) >= GREAT


# --- and the rules find what they are for ---------------------------------------------------------------------------

CHECK = models.CheckConstraint(condition=Q(attempt__gte=0), name="job_attempt_valid")
INDEX = models.Index(fields=["category"], name="job_category_idx")


def new_migration(*operations: Any, atomic: bool = True, doc: str = "") -> migrations.Migration:
    kind = type(
        "Migration", (migrations.Migration,), {"operations": list(operations), "atomic": atomic, "__doc__": doc}
    )
    return kind("9999_test", "jobs")


@pytest.fixture
def state() -> ProjectState:
    return MigrationLoader(connection).project_state()


BAD: dict[str, tuple[list[Any], str]] = {
    "index": ([migrations.AddIndex("job", INDEX)], "CONCURRENTLY"),
    "constraint": ([migrations.AddConstraint("job", CHECK)], "NOT VALID"),
    "unique": (
        [migrations.AddConstraint("job", models.UniqueConstraint(fields=["org", "title"], name="job_title_uniq"))],
        "NOT VALID",
    ),
    "validated at once": (
        [AddConstraintNotValid("job", CHECK), ValidateConstraint("job", CHECK.name)],
        "in a migration of its own",
    ),
    "type": ([migrations.AlterField("job", "attempt", models.BigIntegerField(default=0))], "its type"),
    "not null": ([migrations.AlterField("job", "run_at", models.DateTimeField())], "NOT NULL"),
    "rename": ([migrations.RenameField("job", "title", "caption")], "not renamed"),
    "default of the code": ([migrations.AddField("job", "colour", models.IntegerField(default=0))], "do not know"),
    "default called": ([migrations.AddField("job", "seen_at", models.DateTimeField(db_default=Now()))], "constant"),
    "foreign key": (
        [migrations.AddField("job", "queue_row", models.ForeignKey("jobs.Queue", models.SET_NULL, null=True))],
        "no other table",
    ),
    "fill": ([migrations.RunSQL("UPDATE jobs_job SET category = ''")], "one statement"),
    "fill by a program": (
        [
            migrations.AddField("job", "colour", models.TextField(null=True)),
            migrations.RunPython(migrations.RunPython.noop),
        ],
        "in batches",
    ),
    "two tables": (
        [
            migrations.AddField("job", "colour", models.TextField(null=True)),
            migrations.AddField("attempt", "colour", models.TextField(null=True)),
        ],
        "two great tables",
    ),
    "drop": ([migrations.RemoveField("job", "description")], "Contract:"),
    "index in plain SQL": ([migrations.RunSQL("create index job_x on jobs_job (title)")], "CONCURRENTLY"),
}  # fmt: skip
GOOD: dict[str, migrations.Migration] = {
    "column that may be null": new_migration(migrations.AddField("job", "colour", models.TextField(null=True))),
    "column with a default in the database": new_migration(
        migrations.AddField("job", "colour", models.IntegerField(default=0, db_default=0))
    ),
    "index": new_migration(AddIndexConcurrently("job", INDEX), atomic=False),
    "constraint": new_migration(AddConstraintNotValid("job", CHECK)),
    "validation": new_migration(ValidateConstraint("job", "job_status_valid")),
    "drop": new_migration(migrations.RemoveField("job", "description"), doc="Contract: nobody reads it."),
    "index of a small table": new_migration(migrations.AddIndex("queue", models.Index(fields=["org"], name="q_idx"))),
    "new table": new_migration(
        migrations.CreateModel(
            "Colour",
            [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField(unique=True))],
            options={"indexes": [models.Index(fields=["name"], name="colour_name_idx")]},
        )
    ),
}


@pytest.mark.parametrize(("operations", "rule"), BAD.values(), ids=BAD.keys())
def test_a_breach_is_found(operations: list[Any], rule: str, state: ProjectState) -> None:
    assert [found for found in broken(new_migration(*operations), state) if rule in found]


def test_two_operations_without_a_transaction_are_found(state: ProjectState) -> None:
    other = models.Index(fields=["title"], name="job_title_idx")
    migration = new_migration(AddIndexConcurrently("job", INDEX), AddIndexConcurrently("job", other), atomic=False)
    assert [found for found in broken(migration, state) if "one operation" in found]


@pytest.mark.parametrize("migration", GOOD.values(), ids=GOOD.keys())
def test_what_is_right_is_let_pass(migration: migrations.Migration, state: ProjectState) -> None:
    assert broken(migration, state) == []


def test_the_released_ones_would_not_all_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which shows that migrations in files are read as those above are. docs/upgrades.md names these."""
    monkeypatch.setitem(LAST_BEFORE, "jobs", "0001_initial")
    found = {str(migration) for migration, state in after_the_rules() if broken(migration, state)}
    assert {name for name in found if name <= "jobs.0007_seen_events"} == {
        "jobs.0002_counts_and_storage",
        "jobs.0003_engine",
        "jobs.0005_dependencies",
        "jobs.0006_batch_keys",
    }
