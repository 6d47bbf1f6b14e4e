"""When a model is trained again, and when the new one takes over."""

from collections.abc import Mapping
from typing import Any

FEWEST_RUNS = 200  # before the first training, and between two
GROWTH = 0.1  # or this share of the runs known at the last training, whichever is more
BASELINES = ("ewma", "last_two", "type_median")


def due(runs_now: int, runs_at_last: int) -> bool:
    """Whether there are enough runs since the last training (0: there was none) for another."""
    return runs_now - runs_at_last >= max(FEWEST_RUNS, GROWTH * runs_at_last)


def better(metrics: Mapping[str, Any]) -> bool:
    """Whether the model measured beat, on the same held-out runs, every simple predictor and the model in use.

    By mean |log2(predicted / actual)|; `metrics` are those of train, with `current` where it was given a start.
    """
    rivals = [metrics[name]["malr"] for name in (*BASELINES, "current") if name in metrics]
    return all(metrics["malr"] < rival for rival in rivals)
