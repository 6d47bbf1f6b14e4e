"""Django's PostgreSQL, with our sessions set up as jobs.queue.session says."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError

from smartqueue.database import embedded


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        # it imports the settings, which name this module
        from jobs.queue import session

        try:
            connection = super().get_new_connection(conn_params)
        except OperationalError as error:
            if embedded():
                raise OperationalError(
                    f"PostgreSQL is not running: `make up`, or set DATABASE_URL ({error})"
                ) from error
            raise
        try:
            session.begin(connection)
        except BaseException:
            connection.close()
            raise
        return connection
