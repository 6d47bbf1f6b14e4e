"""The trace that a correlation id stands for (W3C Trace Context)."""

import hashlib
import re

# All zeros is none.
TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


def trace_id(correlation_id: str) -> str:
    """Itself where it is one, else the same one each time."""
    return correlation_id if TRACE_ID.fullmatch(correlation_id) else digits(correlation_id, 32)


def traceparent(correlation_id: str, attempt: str) -> str:
    """The trace that a job's correlation id stands for, with a span for this attempt."""
    return f"00-{trace_id(correlation_id)}-{digits(attempt, 16)}-01"


def digits(text: str, count: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:count]
