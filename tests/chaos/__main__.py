"""python -m tests.chaos --seconds 600 --seed 1: exit status 1, with examples, when an invariant is broken."""

import argparse
import json
import sys
from pathlib import Path

from tests.chaos.play import play

EXAMPLES = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="of load and faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=45.0, help="submits a second")
    parser.add_argument("--slack", type=float, default=1.0, help="times the bounds in seconds, on a busy machine")
    parser.add_argument("--report", type=Path, help="a file for the figures, as JSON")
    options = parser.parse_args()
    report = play(options.seconds, options.seed, options.rate, options.slack)
    held = sum(not found for found in report.broken.values())
    figures = {**report.figures, "invariants": f"{held} of {len(report.broken)}"}
    print(json.dumps(figures, indent=2))
    if options.report:
        options.report.write_text(json.dumps(figures, indent=2) + "\n")
    for name, found in report.broken.items():
        if found:
            print(f"BROKEN {name}: {len(found)} times, such as {found[:EXAMPLES]}")
    print(f"{held} of {len(report.broken)} invariants hold")
    return 0 if held == len(report.broken) else 1


if __name__ == "__main__":
    sys.exit(main())
