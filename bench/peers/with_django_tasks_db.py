"""django-tasks-db: the database backend of Django's tasks framework, one job at a time."""

import os
import sys
from urllib.parse import unquote

import django
import environ
from django.conf import settings

from bench.peers.cli import Peer, main
from bench.peers.counter import count

url = os.environ["DATABASE_URL"]


def configure() -> None:
    if settings.configured:
        return
    config = environ.Env.db_url_config(url)
    settings.configure(
        DATABASES={"default": {**config, "HOST": unquote(config.get("HOST") or "")}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django_tasks", "django_tasks_db"],
        TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
        USE_TZ=True,
        SECRET_KEY="bench",  # noqa: S106 a throw-away server
    )
    django.setup()


configure()
from django.core.management import call_command  # noqa: E402
from django_tasks import task  # noqa: E402


@task()
def noop() -> None:
    count()


class DjangoTasksDb(Peer):
    done_sql = "SELECT count(*) FROM django_tasks_db_dbtaskresult WHERE status IN ('SUCCESSFUL', 'SUCCEEDED')"
    options = (1,)

    def setup(self) -> None:
        call_command("migrate", verbosity=0)

    def enqueue(self) -> None:
        noop.enqueue()

    def work(self, option: int) -> None:
        sys.argv = ["manage.py", "db_worker"]
        call_command("db_worker", interval=0.05, verbosity=0, startup_delay=False, reload=False)


if __name__ == "__main__":
    # The worker imports tasks by path: it must find them in the module of this name, not in __main__.
    from bench.peers import with_django_tasks_db

    noop = with_django_tasks_db.noop
main(DjangoTasksDb)
