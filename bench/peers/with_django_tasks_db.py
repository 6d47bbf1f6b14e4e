"""django-tasks-db: the database backend of Django's tasks framework, one job at a time."""

import os
from urllib.parse import unquote

import django
import environ
from django.conf import settings

from bench.peers.cli import Peer, main
from bench.peers.counter import count


def configure() -> None:
    if settings.configured:
        return
    config = environ.Env.db_url_config(os.environ["DATABASE_URL"])
    settings.configure(
        # kept open: its worker would connect anew for each job
        DATABASES={"default": {**config, "HOST": unquote(config.get("HOST") or ""), "CONN_MAX_AGE": None}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django_tasks", "django_tasks_db"],
        TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "other"]}},
        USE_TZ=True,
        SECRET_KEY="bench",  # noqa: S106 a throw-away server
    )
    django.setup()


configure()
from django.core.management import call_command  # noqa: E402
from django_tasks import task  # noqa: E402


@task()
def noop(number: int) -> None:
    count(number)


FILL = """
INSERT INTO django_tasks_database_dbtaskresult (
    id, status, enqueued_at, started_at, finished_at, args_kwargs, priority, task_path, worker_ids, queue_name,
    backend_name, run_after, return_value, exception_class_path, traceback)
SELECT uuidv7(), CASE WHEN done THEN 'SUCCESSFUL' ELSE 'READY' END, now(), CASE WHEN done THEN now() END,
       CASE WHEN done THEN now() END, '{"args": [-1], "kwargs": {}}', 0, 'bench.peers.with_django_tasks_db.noop',
       '[]', 'other', 'default', now(), NULL, '', ''
FROM (SELECT false AS done FROM generate_series(1, %(waiting)s)
      UNION ALL SELECT true FROM generate_series(1, %(finished)s)) AS rows
"""


class DjangoTasksDb(Peer):
    tuning = "asks again after 50 ms when it found nothing; its default is a second"
    done_sql = """SELECT count(*) FROM django_tasks_database_dbtaskresult
                  WHERE status = 'SUCCESSFUL' AND queue_name = 'default'"""
    left_sql = """SELECT count(*) FROM django_tasks_database_dbtaskresult
                  WHERE status IN ('READY', 'RUNNING') AND queue_name = 'default'"""
    fill_sql = (FILL,)

    def setup(self) -> None:
        call_command("migrate", verbosity=0)

    def enqueue(self, number: int) -> None:
        noop.enqueue(number)

    def work(self, option: str) -> None:
        call_command("db_worker", interval=0.05, queue_name="default", verbosity=0, startup_delay=False, reload=False)


if __name__ == "__main__":
    # The worker imports tasks by path: it must find them in the module of this name, not in __main__.
    from bench.peers import with_django_tasks_db

    noop = with_django_tasks_db.noop
main(DjangoTasksDb)
