"""python -m smartqueue: what `make up` runs. HOST, PORT, DEMO and QUIET are read here, before Django is."""

import argparse
import os
import sys

from smartqueue.embedded import EmbeddedError
from smartqueue.readiness import NotReady
from smartqueue.state import StateError, state_dir
from smartqueue.up import Console, Options, Up, UpError


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "make up",
        description="PostgreSQL, migrations, a demo; web, worker, scheduler and watchdog. Ctrl-C stops all.",
    )
    parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=os.environ.get("PORT") or 8000, help="or the next free one")
    parser.add_argument("--no-demo", action="store_true", default=os.environ.get("DEMO") == "0")
    parser.add_argument("--quiet", action="store_true", default=os.environ.get("QUIET") == "1", help="no demo jobs")
    asked = parser.parse_args(words)
    if not 0 < asked.port < 65536:
        parser.error(f"PORT={asked.port}: from 1 to 65535")
    try:
        return Up(
            state_dir(), Options(asked.host, asked.port, demo=not asked.no_demo, quiet=asked.quiet), Console(sys.stdout)
        ).run()
    except (UpError, NotReady, EmbeddedError, StateError, OSError) as error:
        print(f"SmartQueue: {error}", file=sys.stderr)  # noqa: T201 its one face is the terminal
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
