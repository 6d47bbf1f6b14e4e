"""Tasks of the demo organisation: what an operator's own module looks like."""

import re
from math import isqrt

from jobs.handlers.base import Context, PermanentFailure
from jobs.handlers.python_task import task


@task
def add(a: int, b: int) -> int:
    """The sum of two whole numbers."""
    return a + b


@task
def primes(context: Context, below: int) -> dict[str, int]:
    """Count the primes below a number, by trial division."""
    if below > 20_000_000:
        raise PermanentFailure("below: at most 20000000")
    found: list[int] = []
    for number in range(2, below):
        if number % 1_000 == 0:
            context.check_stopped()
            context.progress(number / below, f"{len(found)} found")
        root = isqrt(number)
        for prime in found:
            if prime > root:
                found.append(number)
                break
            if number % prime == 0:
                break
        else:
            found.append(number)
    return {"count": len(found), "largest": found[-1] if found else 0}


@task
def word_count(text: str, top: int = 5) -> dict[str, dict[str, int] | int]:
    """Count the words of a text, and its most frequent ones."""
    counts: dict[str, int] = {}
    for word in re.findall(r"[^\W\d_]+", text.lower()):
        counts[word] = counts.get(word, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {"words": sum(counts.values()), "different": len(counts), "top": dict(ranked[: max(top, 0)])}


@task
def fail_always(reason: str = "This task always fails.") -> None:
    """Raise an error: shows retries, the attempts' log and the dead letters."""
    raise RuntimeError(reason)


@task
def flaky(context: Context, succeed_on: int = 2) -> str:
    """Fail until the attempt of this number: shows a retry that works."""
    if context.attempt < succeed_on:
        raise RuntimeError(f"attempt {context.attempt} fails; attempt {succeed_on} will work")
    return f"worked on attempt {context.attempt}"


@task
def wait(context: Context, seconds: float) -> dict[str, float]:
    """Wait, as for something outside, and report progress; ends at once when cancelled."""
    steps = max(1, min(100, round(seconds / 0.5)))
    for step in range(steps):
        context.progress(step / steps, f"{seconds * step / steps:.1f} of {seconds:g} s")
        context.wait(seconds / steps)
        context.check_stopped()
    context.progress(1, f"waited {seconds:g} s")
    return {"waited_seconds": seconds}
