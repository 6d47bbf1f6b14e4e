"""What the leader sums up by the minute, hour and day, and since the beginning: each attempt and job once.

What is added is a range of ids, and the mark that says up to where goes on in the same transaction: all of it or none.
The range ends where no more can come below (orgs.settled), so what commits late is in a later one. What was there
before the first call is added from the newest backwards, a batch a call.
"""

from dataclasses import astuple, dataclass, replace

from django.conf import settings

from jobs.handlers import registry
from jobs.models import RollupMark, Total
from jobs.models.rollup import DAY, HOUR, MINUTE
from jobs.queue import sql
from orgs.settled import Settled

# Ids of each table that one call takes.
BATCH = 20_000
# Kinds (queue, type and name) that an organisation has of its own in a day; more go together, by type.
KINDS = 200
PRUNE_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """What the one row of RollupMark says."""

    attempt_id: int
    move_id: int
    attempts_left: int
    moves_left: int


class RollUp:
    """A chore of the leader, within its fence; says whether there is more to be added at once."""

    def __init__(self) -> None:
        self.attempts, self.moves = Settled("jobs_attempt"), Settled("jobs_transition")

    def __call__(self, *, batch: int = BATCH) -> bool:
        was = place()
        if was is None:
            return self.begin()
        settled = (self.attempts.upto(was.attempt_id), self.moves.upto(was.move_id))
        new = replace(was, attempt_id=settled[0], move_id=settled[1])
        if settled[0] > was.attempt_id + batch or settled[1] > was.move_id + batch:
            (ahead,) = sql.run("rollups_ahead", attempt_id=was.attempt_id, move_id=was.move_id)
            new = replace(
                was,
                attempt_id=min(settled[0], ahead.attempt_id + batch),
                move_id=min(settled[1], ahead.move_id + batch),
            )
        if new != was:
            add(was, new)
        # what is new comes first
        return (new.attempt_id, new.move_id) != settled or go_back(new, batch)

    def begin(self) -> bool:
        """From what is settled now: forwards, and backwards."""
        attempt_id, move_id = self.attempts.upto(0), self.moves.upto(0)
        # 0 where there is nothing, or where somebody still writes who came first
        waiting = (attempt_id == 0 and self.attempts.mark) or (move_id == 0 and self.moves.mark)
        if waiting:
            return False
        RollupMark.objects.create(attempt_id=attempt_id, move_id=move_id, attempts_left=attempt_id, moves_left=move_id)
        return bool(attempt_id or move_id)


def place() -> Place | None:
    mark = RollupMark.objects.values_list("attempt_id", "move_id", "attempts_left", "moves_left").first()
    return None if mark is None else Place(*mark)


def go_back(was: Place, batch: int) -> bool:
    """The next batch of what was there before."""
    if not was.attempts_left and not was.moves_left:
        return False
    (left,) = sql.run("rollups_left", attempts_left=was.attempts_left, moves_left=was.moves_left)
    new = replace(
        was,
        attempts_left=max(left.attempts_left - batch, 0),
        moves_left=max(left.moves_left - batch, 0),
    )
    add(was, new)
    return bool(new.attempts_left or new.moves_left)


def add(was: Place, new: Place) -> None:
    """What lies between two places, which are apart in one direction."""
    moved = sql.run(
        "move_rollup_mark",
        **dict(zip(("attempt_id", "move_id", "attempts_left", "moves_left"), astuple(new), strict=True)),
        **dict(
            zip(("was_attempt_id", "was_move_id", "was_attempts_left", "was_moves_left"), astuple(was), strict=True)
        ),
    )
    if not moved:
        return
    forwards = (was.attempts_left, was.moves_left) == (new.attempts_left, new.moves_left)
    ends = (
        {"attempts_after": was.attempt_id, "attempts_upto": new.attempt_id,
         "moves_after": was.move_id, "moves_upto": new.move_id}
        if forwards else
        {"attempts_after": new.attempts_left, "attempts_upto": was.attempts_left,
         "moves_after": new.moves_left, "moves_upto": was.moves_left}
    )  # fmt: skip
    sql.run("roll_up", kinds=KINDS, **levels(), **ends)
    sql.run("count_totals", types=registry.types(), other=Total.OTHER, **ends)


def levels() -> dict[str, list[int]]:
    """How many days each length of interval is kept."""
    return {
        "seconds": [MINUTE, HOUR, DAY],
        "days": [settings.ROLLUP_MINUTE_DAYS, settings.ROLLUP_HOUR_DAYS, settings.ROLLUP_DAY_DAYS],
    }


def prune_rollups(*, batch: int = PRUNE_BATCH) -> bool:
    return len(sql.run("prune_rollups", batch=batch, **levels())) >= batch
