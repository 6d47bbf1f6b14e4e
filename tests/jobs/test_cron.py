"""Cron expressions, over changes of the clock, forwards and backwards alike."""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.cron import NAMES, Cron, NotCron

# Lord Howe Island, whose clock changes by half an hour, is not among them: CronSim leaves out the half hour's minutes.
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kathmandu"]
# Around both changes of 2026 in each hemisphere.
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/15", "7,37", "59"]),
    st.sampled_from(["*", "2", "1-3", "*/6", "23"]),
    st.sampled_from(["*", "1", "25", "L"]),
    st.sampled_from(["*", "3", "10", "1-12/5"]),
    st.sampled_from(["*", "0", "MON-FRI", "6"]),
)


@pytest.mark.parametrize(
    ("expression", "zone", "local"),
    [
        # skipped by the clock: at the first moment after
        ("30 2 * * *", "Europe/Berlin", ["2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        # twice on the clock: the first time only
        ("30 2 * * *", "Europe/Berlin", ["2026-10-24T02:30+02:00", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        # each half hour of real time
        ("*/30 2 * * *", "Europe/Berlin", ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00",
                                           "2026-10-25T02:00+01:00"]),
        ("@daily", "UTC", ["2026-02-28T00:00+00:00", "2026-03-01T00:00+00:00"]),
        ("0 0 29 2 *", "UTC", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"]),
    ],
)  # fmt: skip
def test_it_is_due_when_debians_cron_is(expression: str, zone: str, local: list[str]) -> None:
    wanted = [datetime.fromisoformat(text) for text in local]

    found = list(islice(Cron(expression, zone).after(wanted[0] - timedelta(minutes=1)), len(wanted)))

    assert found == wanted


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "60 * * * *", "0 0 30 2 *", "1-1000000000 * * * *", "*  * * * *", "* * * * *\n",
     "@reboot", "٣ * * * *", "* * * * MO", "*/0 * * * *", "x" * 101, "* * * * *\0", "-1 * * * *", "5-1 * * * *"],
)  # fmt: skip
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(NotCron):
        Cron(expression)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "CEST", "europe/berlin\0", "+01:00"])
def test_a_zone_that_is_not_there_is_refused(zone: str) -> None:
    with pytest.raises(NotCron, match="time zone"):
        Cron("* * * * *", zone)


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_crontab_are_known(name: str) -> None:
    assert Cron(name).words


@given(FIELDS, st.sampled_from(ZONES), MOMENTS)
def test_the_newest_times_are_the_last_of_those_found_forwards(
    fields: tuple[str, ...], zone: str, since: datetime
) -> None:
    cron = Cron(" ".join(fields), zone)
    until = since + timedelta(days=2)
    forwards = list(takewhile(lambda tick: tick <= until, islice(cron.after(since - timedelta(microseconds=1)), 5_000)))

    assert cron.newest(since, until, 7) == forwards[-7:]
    assert forwards == sorted(set(forwards))
