"""Django's PostgreSQL, with our sessions set up as jobs.queue.session says."""

from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql import base
from psycopg import ClientCursor, OperationalError

from smartqueue.database import embedded

if TYPE_CHECKING:
    DjangoCursor = ClientCursor[Any]
else:
    DjangoCursor = base.Cursor

# These change what no wall stands before, and must go through where another statement would fail already.
OF_TRANSACTIONS = ("SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")


class Cursor(DjangoCursor):
    """Django's, behind the wall of the request (orgs.walls)."""

    def execute(self, query: Any, params: Any = None, **how: Any) -> "Cursor":
        from orgs import walls

        words = walls.told(self.connection)
        if words is None or (isinstance(query, str) and query.startswith(OF_TRANSACTIONS)):
            return super().execute(query, params, **how)
        text = query if isinstance(query, str) else query.as_string(self)
        # One message, so one round trip and, outside a transaction, one of its own for both.
        super().execute(walls.spoken(*words) + text, params, **how)
        self.nextset()
        return self

    def executemany(self, query: Any, params_seq: Any, **how: Any) -> None:
        from orgs import walls

        if walls.told(self.connection) is None:
            super().executemany(query, params_seq, **how)
            return
        for params in params_seq:
            self.execute(query, params)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "cursor_factory": Cursor}

    def chunked_cursor(self) -> Any:
        """Behind the wall all rows at once: a cursor of the server's would outlive what it was told."""
        from orgs import walls

        return self.cursor() if walls.here.up else super().chunked_cursor()

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
