"""How long a transaction that locks rows of the queue may do nothing."""

import pytest
from django.db import connection, transaction

from jobs.queue.brief import brief

pytestmark = pytest.mark.django_db

IDLE = "idle_in_transaction_session_timeout"


def idle() -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {IDLE}")
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("before", "within"),
    [("0", "10s"), ("1200", "1200ms"), ("1200ms", "1200ms"), ("2s", "2s"), ("1min", "10s"), ("2h", "10s")],
)
def test_it_may_do_nothing_for_as_long_as_is_allowed_and_no_longer_than_it_was(before: str, within: str) -> None:
    """The leader's may be idle for less: within it, nothing may give it longer."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL {IDLE} = '{before}'")

        with brief():
            assert idle() == within
