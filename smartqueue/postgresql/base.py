"""The engine of the embedded database."""

from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except base.Database.OperationalError as error:
            raise base.Database.OperationalError(
                f"PostgreSQL is not running: `make up`, or set DATABASE_URL ({error})"
            ) from error
