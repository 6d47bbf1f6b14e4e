from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db.models.signals import post_migrate


class OrgsConfig(AppConfig):
    name = "orgs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from orgs import declared  # noqa: F401 (it registers a check, and reads models)

        post_migrate.connect(raise_walls, sender=self, dispatch_uid="orgs.walls")
        register(check_walls, Tags.database)


def raise_walls(using: str, **about: Any) -> None:
    from django.db import connections

    from orgs import row_security

    row_security.raise_walls(connections[using])


def check_walls(databases: Sequence[str] | None = None, **about: Any) -> list[CheckMessage]:
    """Asked with `--database`, and by migrate, which mends most of it: so no error that would keep it from that."""
    from django.conf import settings
    from django.db import connections

    from orgs import row_security

    if not databases or settings.ROW_SECURITY == "off":
        return []
    found = [problem for alias in databases for problem in row_security.problems(connections[alias])]
    return [Warning(problem, id="orgs.W001") for problem in found]
