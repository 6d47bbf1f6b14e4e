"""What is remembered of an organisation's past runs: between the rows of the database and the predictor."""

from collections.abc import Collection, Sequence
from itertools import accumulate

from jobs.models import RuntimeMemory
from jobs.queue import sql
from orgs.models import Org, User
from predictor.examples import Memories
from predictor.memory import LEVELS, LEVELS_WITH_RUNS, Memory, Run, keys

# A key at one of LEVELS, by its place there.
Place = tuple[int, str]


def person(user: User | None) -> str:
    """How keys name a user: by what stays when he is renamed."""
    return str(user.pk) if user else ""


def places(user: User | None, type: str, name: str) -> list[Place]:
    """Where the runs of a job are remembered, in the order of LEVELS."""
    return list(enumerate(keys(person(user), type, name)))


def recall(org: Org, wanted: Collection[Place]) -> dict[Place, Memory]:
    """What is remembered at these places, in one query; those without a run are not in the answer."""
    rows = sql.rows("memories", org_id=org.pk, levels=[level for level, _ in wanted], keys=[key for _, key in wanted])
    return {(level, key): memory(*rest) for level, key, *rest in rows}


def memory(
    runs: int,
    failures: int,
    means: Sequence[float],
    squares: Sequence[float],
    failed: float,
    last_ended: float,
    recent_ms: Sequence[float] | None,
    recent_failed: Sequence[bool] | None,
    recent_ended: Sequence[float] | None,
) -> Memory:
    """The columns of memories.sql as the predictor has them."""
    recent = tuple(map(Run, recent_ms or (), gaps(recent_ended or (), len(recent_ms or ())), recent_failed or ()))
    return Memory(runs, failures, tuple(means), tuple(squares), failed, last_ended, recent)


def gaps(ended: Sequence[float], runs: int) -> list[float]:
    """Seconds from the latest end before each of so many runs to its own; 0 for the first there ever was."""
    known = ended if len(ended) > runs else [*ended[:1], *ended]
    latest = accumulate(known, max)
    return [max(end - before, 0.0) for before, end in zip(latest, known[1:], strict=False)]


def as_rows(org: Org, memories: Memories) -> list[RuntimeMemory]:
    """Unsaved rows; the keys of `memories` must name users as person() does."""
    return [as_row(org, level, key, one) for (level, key), one in sorted(memories.known.items())]


def as_row(org: Org, level: str, key: str, one: Memory) -> RuntimeMemory:
    runs = one.recent if level in LEVELS_WITH_RUNS else None
    return RuntimeMemory(
        org_id=org.pk,
        level=LEVELS.index(level),
        key=key,
        runs=one.runs,
        failures=one.failures,
        means=list(one.means),
        squares=list(one.squares),
        failed=one.failed,
        last_ended=one.last_ended,
        recent_ms=None if runs is None else [run.runtime_ms for run in runs],
        recent_failed=None if runs is None else [run.failed for run in runs],
        recent_ended=None if runs is None else ends(one),
    )


def ends(one: Memory) -> list[float]:
    """When its recent runs ended, and where there was one, the run before them."""
    backwards = list(
        accumulate((run.gap_seconds for run in reversed(one.recent)), lambda at, gap: at - gap, initial=one.last_ended)
    )
    known = backwards[::-1]
    return known if one.runs > len(one.recent) else known[1:]
