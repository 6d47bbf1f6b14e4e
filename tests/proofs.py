"""How often a fault is tried, and what it gave: a few times in `make test`, as often as is claimed in `make proofs`."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

VARIABLE = "SMARTQUEUE_PROOFS"


def times(few: int, all_of_them: int) -> int:
    """How often to try: few, unless the proofs are asked for."""
    return all_of_them if os.environ.get(VARIABLE) else few


def figure(fault: str, **figures: Any) -> None:
    """Print what a fault gave and, among the proofs, keep it in the file that docs/reliability.md quotes."""
    print(fault, figures)
    if not (name := os.environ.get(VARIABLE)):
        return
    with Path(name).open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}")
        known[fault] = {**known.get(fault, {}), **figures}
        file.seek(0)
        file.truncate()
        file.write(json.dumps(known, indent=2, sort_keys=True) + "\n")
