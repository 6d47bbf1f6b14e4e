"""Which columns of its source an etl job uses at all: the others are not loaded."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jobs.handlers.etl.language import columns_of, parse

# The columns of the source that a column comes from, by its present name; None: it is still as it was read.
Origins = dict[str, frozenset[str]]


class Needs:
    """Goes through the steps as they would change the columns."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        # What was made, renamed or dropped; every other column of the source is there under its own name.
        self.origins: Origins = {}
        # No longer any others.
        self.closed = False

    def origin(self, name: str) -> frozenset[str]:
        return self.origins.get(name, frozenset() if self.closed else frozenset({name}))

    def use(self, names: Iterable[str]) -> None:
        for name in names:
            self.used |= self.origin(name)

    def only(self, names: Iterable[str]) -> None:
        self.origins = {name: self.origin(name) for name in names}
        self.closed = True

    def take(self, step: Mapping[str, Any]) -> None:
        ((name, asked),) = step.items()
        match name:
            case "select":
                self.only(asked)
            case "filter":
                self.use(columns_of(parse(asked)))
            case "derive":
                made = {new: self.origins_of(text) for new, text in asked.items()}
                self.origins |= made
            case "cast":
                self.use(asked)
            case "sort":
                self.use(each if isinstance(each, str) else each["by"] for each in asked)
            case "dedupe" if asked:
                self.use(asked)
            case "group":
                values = [of for aggregate in asked["aggregates"].values() for of in aggregate.values() if of != "*"]
                self.use([*asked["by"], *values])
                self.origins, self.closed = {}, True
            case "limit":
                pass
            case _:
                raise Unknown

    def origins_of(self, text: str) -> frozenset[str]:
        return frozenset().union(*map(self.origin, columns_of(parse(text))))


class Unknown(Exception):
    """A step that uses all there is."""


def needed(steps: Sequence[Mapping[str, Any]]) -> set[str] | None:
    """None where all are."""
    needs = Needs()
    try:
        for step in steps:
            needs.take(step)
    except Unknown:
        return None
    if not needs.closed:
        return None
    return needs.used.union(*needs.origins.values())
