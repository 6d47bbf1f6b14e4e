"""The types of events. Pure: settings read them."""

from jobs.states import Status

# A person changed something about a job that waits: it stays what it is.
CHANGED = "job.changed"
EVENTS = [*(f"job.{status}" for status in Status), CHANGED]
