"""The engine of the embedded database."""

from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except OperationalError as error:
            raise OperationalError(f"PostgreSQL is not running: `make up`, or set DATABASE_URL ({error})") from error
