"""Time-ordered ids."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from jobs.ids import first_uuid7, uuid7, uuid7s


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = uuid7()

    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_ids_are_in_the_order_they_were_made_and_all_different() -> None:
    made = [uuid7() for _ in range(10_000)]

    assert len(set(made)) == len(made)
    # Within the quarter of a microsecond that the fraction resolves chance decides.
    assert [one.int >> 64 for one in made] == sorted(one.int >> 64 for one in made)


def test_ids_made_together_are_in_order_and_all_different() -> None:
    made = [one for count in (0, 1, 7, 10_000, 3) for one in uuid7s(count)]

    assert len(set(made)) == len(made) == 10_011
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}
    assert [one.int >> 64 for one in made] == sorted(one.int >> 64 for one in made)


def test_ids_made_together_rise_though_the_clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_800_000_000_123_456_789)

    stamps = [one.int >> 64 for one in uuid7s(10_000)]

    assert all(earlier < later for earlier, later in pairwise(stamps))


def test_the_random_part_of_ids_made_together_has_nothing_in_common() -> None:
    random = [one.int & (1 << 62) - 1 for one in uuid7s(2_000)]

    assert len(set(random)) == len(random)
    for bit in range(62):
        # of 2,000 fair coins: ten standard deviations
        assert 750 < sum(number >> bit & 1 for number in random) < 1_250


def test_an_id_tells_when_it_was_made() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)

    made = uuid7()

    assert first_uuid7(before) < made < first_uuid7(datetime.now(UTC) + timedelta(milliseconds=1))
