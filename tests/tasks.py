"""Tasks that only tests run."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jobs.handlers.base import Context, PermanentFailure, Stopped
from jobs.handlers.python_task import task


@dataclass
class Receipt:
    total: Decimal
    at: datetime


# Results that no database can keep, by what is wrong with them.
BAD: dict[str, Callable[[], Any]] = {
    "nan": lambda: float("nan"),
    "infinity": lambda: [float("inf")],
    "bytes": lambda: {"data": b"raw"},
    "nul": lambda: "a\0b",
    "nul_key": lambda: {"a\0b": 1},
    "surrogate": lambda: "\ud800",
    "object": object,
    "huge": lambda: "x" * 100_000_000,
    "wide": lambda: list(range(1_000_000)),
    "itself": lambda: itself(),
    "long_number": lambda: 10**5000,
}


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@task
def bad_result(kind: str) -> Any:
    """Return what cannot be kept."""
    return BAD[kind]()


@task
def receipt() -> Receipt:
    return Receipt(Decimal("9.90"), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@task(name="tests.named")
def has_another_name() -> str:
    return "called by its given name"


@task
def give_up(reason: str) -> None:
    raise PermanentFailure(reason)


@task
def leave() -> None:
    """What a task should not do: end the process."""
    sys.exit(3)


@task
def stop_unasked() -> None:
    raise Stopped("says who?")


@task
def fail_with(message: str) -> None:
    raise ValueError(message)


@task
def about_me(context: Context, greeting: str = "hello") -> dict[str, Any]:
    """Use all that a context offers but files."""
    context.log(f"{greeting} from attempt {context.attempt}")
    context.progress(0.5, "half way")
    return {"attempt": context.attempt, "correlation_id": context.correlation_id}
