"""Time-ordered ids."""

from datetime import UTC, datetime, timedelta

from jobs.ids import first_uuid7, uuid7


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = uuid7()

    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_ids_are_in_the_order_they_were_made_and_all_different() -> None:
    made = [uuid7() for _ in range(10_000)]

    assert len(set(made)) == len(made)
    # Within the quarter of a microsecond that the fraction resolves chance decides.
    assert [one.int >> 64 for one in made] == sorted(one.int >> 64 for one in made)


def test_an_id_tells_when_it_was_made() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)

    made = uuid7()

    assert first_uuid7(before) < made < first_uuid7(datetime.now(UTC) + timedelta(milliseconds=1))
