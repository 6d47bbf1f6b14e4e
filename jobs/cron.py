"""When a cron expression is due, in a time zone, over changes of the clock as Debian's cron has them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import dropwhile, islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

FIELDS = 5
LONGEST = 100
# https://man7.org/linux/man-pages/man5/crontab.5.html
NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class NotCron(ValueError):
    """This is no cron expression; the message says why."""


class Cron:
    """Five fields, or one of NAMES; raises NotCron."""

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        text = NAMES.get(expression, expression)
        fields = text.split(" ")
        # CronSim would take a sixth field for seconds, and any white space between them
        if len(fields) != FIELDS or fields != text.split() or len(expression) > LONGEST:
            raise NotCron(f"Five fields with a space between them, such as 30 2 * * 1-5, or {', '.join(NAMES)}.")
        if timezone not in timezones():
            raise NotCron(f"There is no time zone {timezone!r:.60}.")
        self.fields, self.zone = " ".join(fields), ZoneInfo(timezone)
        try:
            self.words = CronSim(self.fields, NEVER).explain()
        except CronSimError as error:
            raise NotCron(f"{error}.") from error

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times it is due after a moment, in UTC, without an end; none for a day that never comes."""
        return self.ticks(moment, reverse=False)

    def newest(self, since: datetime, until: datetime, most: int) -> list[datetime]:
        """Up to `most` times it was due, from `since` to `until` (both included), the last ones, in order."""
        # it goes on from what it is given, to the minute: from the next one that is the first it may find
        beyond = next(self.after(until), None)
        if beyond is None:
            return []
        earlier = dropwhile(lambda tick: tick > until, self.ticks(beyond, reverse=True))
        return list(islice(takewhile(lambda tick: tick >= since, earlier), most))[::-1]

    def ticks(self, moment: datetime, *, reverse: bool) -> Iterator[datetime]:
        last = moment
        for tick in CronSim(self.fields, moment.astimezone(self.zone), reverse=reverse):
            found = tick.astimezone(UTC)
            if (found < last) if reverse else (found > last):
                yield found
                last = found


@cache
def timezones() -> frozenset[str]:
    """The names of the IANA database, as installed or as the package tzdata has it."""
    return frozenset(available_timezones())
