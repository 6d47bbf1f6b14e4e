"""How often a job is tried, and when again: by the job, else by its type, else by the deployment's defaults."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from jobs import backoff

# What a job or a type may say, and within which bounds in seconds.
FIELDS = ("base_seconds", "cap_seconds")
MIN_SECONDS = 0.1


def max_attempts(type: str) -> int:
    """Of a job that does not say."""
    return int(settings.RETRY_POLICIES.get(type, {}).get("max_attempts", settings.RETRIES + 1))


def delay_seconds(type: str, own: Mapping[str, Any] | None, failures: int) -> float:
    """Until the next try of a job of this type, after so many failures in this life; `own` is what the job says."""
    known = {
        "base_seconds": settings.RETRY_BASE_SECONDS,
        "cap_seconds": settings.RETRY_CAP_SECONDS,
        **settings.RETRY_POLICIES.get(type, {}),
        **(own or {}),
    }
    return backoff.delay_seconds(
        failures,
        base=min(known["base_seconds"], known["cap_seconds"]),
        cap=known["cap_seconds"],
        jitter=min(settings.RETRY_JITTER_SECONDS, known["cap_seconds"]),
    )


def faults(own: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a job's `retry`: (JSON pointer, sentence)."""
    longest = settings.MAX_DELAY_DAYS * 86_400.0
    found = [
        (f"/retry/{name}", f"There is no such field; there are: {', '.join(FIELDS)}.")
        for name in own
        if name not in FIELDS
    ]
    for name in FIELDS:
        value = own.get(name)
        if value is not None and not (isinstance(value, int | float) and MIN_SECONDS <= value <= longest):
            found.append((f"/retry/{name}", f"From {MIN_SECONDS:g} to {longest:g}."))
    return found
