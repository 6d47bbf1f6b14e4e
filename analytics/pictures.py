"""A chart as the server has it: numbers for a script to draw, and a sentence and a table that say the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from jobs.templatetags.dashboard import ms, percent, seconds, thousands

# Rows of a table beside a chart of many dots.
MOST_ROWS = 100


def count(value: float) -> str:
    return thousands(int(value))


def factor(value: float) -> str:
    return f"×{value:.2f}"


# How a value is written; static/charts.js has the same for axes.
UNITS: dict[str, Callable[[float], str]] = {
    "count": count, "ms": ms, "seconds": seconds, "percent": percent, "factor": factor,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """Values of one kind, in the order of the chart's places; None for none. `tone` is a colour of app.css."""

    label: str
    tone: str
    values: Sequence[float | None]
    dashed: bool = False
    diamond: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    number: bool = True
    link: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """`places` are moments, numbers or words along the floor. `links` lead from a dot to its job."""

    name: str
    title: str
    summary: str
    kind: str
    unit: str
    places: Sequence[Any]
    lines: Sequence[Line]
    # What is said where nothing is drawn yet.
    empty: str = ""
    links: Sequence[str] = ()
    # Of dots: what each is called.
    names: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    log: bool = False
    # Whether the two axes are the same, and what is equal lies on a line.
    ideal: bool = False
    note: str = ""

    @property
    def drawn(self) -> bool:
        return bool(self.places) and any(value is not None for line in self.lines for value in line.values)

    @property
    def data_id(self) -> str:
        return f"{self.name}-data"

    @property
    def timed(self) -> bool:
        return bool(self.places) and isinstance(self.places[0], datetime)

    @property
    def data(self) -> dict[str, Any]:
        """For charts.js. Moments are seconds since 1970."""
        words = bool(self.places) and isinstance(self.places[0], str)
        return {
            "kind": self.kind,
            "unit": self.unit,
            "summary": self.summary,
            "timed": self.timed,
            "x": [
                number if words else place.timestamp() if isinstance(place, datetime) else place
                for number, place in enumerate(self.places)
            ],
            "words": list(self.places) if words else None,
            "span": [self.since.timestamp(), self.until.timestamp()] if self.since and self.until else None,
            "lines": [
                {"label": line.label, "tone": line.tone, "values": list(line.values), "dashed": line.dashed,
                 "diamond": line.diamond}
                for line in self.lines
            ],
            "links": list(self.links),
            "log": self.log,
            "ideal": self.ideal,
        }  # fmt: skip

    @property
    def columns(self) -> list[str]:
        first = _("Job") if self.names else _("From (UTC)") if self.timed else _("Value")
        between = [_("Ended (UTC)") if self.timed else _("Predicted")] if self.names else []
        return [first, *between, *(line.label for line in self.lines)]

    @property
    def rows(self) -> Iterator[list[Cell]]:
        """The newest first, as people read them."""
        write = UNITS[self.unit]
        newest = range(len(self.places) - 1, -1, -1) if self.timed or self.names else range(len(self.places))
        for number in list(newest)[: MOST_ROWS if self.names else None]:
            place = self.said(self.places[number])
            values = [Cell("–" if (value := line.values[number]) is None else write(value)) for line in self.lines]
            if self.names:
                yield [Cell(self.names[number], number=False, link=self.links[number]), Cell(place), *values]
            else:
                yield [Cell(place, number=False), *values]

    def said(self, place: Any) -> str:
        if isinstance(place, datetime):
            return f"{place.astimezone(UTC).day} {place.astimezone(UTC):%b %H:%M}"
        return place if isinstance(place, str) else UNITS[self.unit](place)

    @property
    def raw(self) -> Iterator[list[Any]]:
        """The same oldest first, as a file has them."""
        for number, place in enumerate(self.places):
            name = [self.names[number]] if self.names else []
            yield [*name, place, *(line.values[number] for line in self.lines)]
