"""jobs_search_ids(): in steps as it goes, it finds what one question would, in either order, from anywhere, no more."""

from typing import NamedTuple
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as options
from hypothesis import strategies as st

from tests.conftest import World

pytestmark = pytest.mark.django_db

ROWS = 13_000
# Over forty days, one organisation among others; one word of each, of two in a hundred, and of three of them.
FILL = """
INSERT INTO jobs_searchentry (job_id, org_id, words, error_fingerprint)
SELECT (lpad(to_hex(1790000000000 + n * 265846 + n * n %% 1000), 12, '0')
        || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
       CASE WHEN n %% 4 = 0 THEN %(other)s ELSE %(org)s END,
       array_to_tsvector(ARRAY['every', CASE WHEN n %% 50 = 0 THEN 'some' ELSE 'most' END,
                               CASE WHEN n IN (77, 6001, 12002) THEN 'rare' ELSE 'else' END]), ''
FROM generate_series(1::bigint, %(rows)s::bigint) AS n
"""
PLAIN = """
SELECT job_id FROM jobs_searchentry WHERE words @@ %(wanted)s::tsquery AND org_id = %(org)s
AND job_id > %(after)s AND job_id < %(before)s ORDER BY job_id {order} LIMIT %(most)s
"""
STEPS = """
SELECT id FROM jobs_search_ids(%(org)s, %(wanted)s::tsquery, %(after)s, %(before)s, %(most)s, %(newest)s,
                               %(oldest_id)s, %(newest_id)s, %(likely)s) AS id
"""
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)


class Filled(NamedTuple):
    org: int
    ids: list[UUID]


@pytest.fixture
def filled(world: World) -> Filled:
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"org": world.org.pk, "other": world.rival.pk, "rows": ROWS})
        cursor.execute("ANALYZE jobs_searchentry")
        cursor.execute("SELECT job_id FROM jobs_searchentry WHERE org_id = %s ORDER BY job_id", [world.org.pk])
        return Filled(world.org.pk, [row[0] for row in cursor.fetchall()])


places = st.one_of(st.none(), st.floats(0, 1))


@options(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.sampled_from(["'every'", "'some'", "'rare'", "'nowhere'", "'some' | 'rare'", "'every' & 'most'"]),
    after=places,
    before=places,
    likely=places,
    most=st.sampled_from([1, 3, 200, 5_000, 20_000]),
    newest=st.booleans(),
)
def test_it_finds_what_one_question_finds(
    filled: Filled,
    wanted: str,
    after: float | None,
    before: float | None,
    likely: float | None,
    most: int,
    newest: bool,
) -> None:
    def at(place: float | None, otherwise: UUID) -> UUID:
        return otherwise if place is None else filled.ids[round(place * (len(filled.ids) - 1))]

    params = {
        "org": filled.org, "wanted": wanted, "most": most, "newest": newest, "likely": at(likely, LAST),
        "after": at(after, FIRST), "before": at(before, LAST), "oldest_id": filled.ids[0], "newest_id": filled.ids[-1],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(PLAIN.format(order="DESC" if newest else "ASC"), params)
        plain = cursor.fetchall()
        cursor.execute(STEPS, params)
        assert cursor.fetchall() == plain
