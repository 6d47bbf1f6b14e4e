"""What the jobs of a call have alike, which is sent once: to read each field of each takes a third of the time."""

from typing import Any

# What each job has, and often all of a call have the same.
OFTEN_ALIKE = (
    *("queue", "type", "name", "urgency", "predicted_ms", "predicted_low_ms", "predicted_high_ms"),
    *("failure_probability", "prediction_source", "model_version", "priority", "stretch", "place"),
    *("timeout_seconds", "max_attempts"),
)


def taken_out(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What all the rows have alike, which goes from them."""
    first = rows[0]
    alike = {
        name: first[name] for name in OFTEN_ALIKE if name in first and all(row.get(name) == first[name] for row in rows)
    }
    for row in rows:
        for name in alike:
            del row[name]
    return alike
