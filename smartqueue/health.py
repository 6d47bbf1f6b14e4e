"""/healthz: the process answers. /readyz: it can also do its work."""

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from jobs.durability import ASKED, off
from jobs.queue.session import cause
from orgs import row_security, walls
from orgs.pages import open_page


@open_page()
def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@open_page()
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, has every migration and keeps what it acknowledges, and holds requests to their
    organisation where that is required; else 503."""
    walls.open_for(walls.Across.READY)
    checks = {"database": "unreachable", "migrations": "unknown", "durability": "unknown", "row_security": "unknown"}
    try:
        connection = connections[DEFAULT_DB_ALIAS]
        checks["durability"] = durability()
        checks["database"] = "ok"
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        checks["migrations"] = f"{len(missing)} missing" if missing else "ok"
        checks["row_security"] = " ".join(row_security.problems(connection)) or "ok"
    except Error as error:
        if refused := cause(error):
            checks["database"], checks["durability"] = "refused", str(refused)
    optional = set() if settings.ROW_SECURITY == "required" else {"row_security"}
    ready = all(checks[name] == "ok" for name in checks.keys() - optional)
    return JsonResponse({"status": "ok" if ready else "unready", "checks": checks}, status=200 if ready else 503)


def durability() -> str:
    """A session that breaks the promise of a 201 is not begun (jobs.queue.session); but what it rests on may change."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(f"SELECT {ASKED}")
        names = off(list(cursor.fetchone()))
    return f"{', '.join(names)} off" if names else "ok"
