#!/usr/bin/env python
"""Run a Django command of SmartQueue."""

import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["probe"]:
        # asked every few seconds, of a process that is started already: Django would take twenty times as long
        from smartqueue.probe import main as probe

        sys.exit(probe(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartqueue.settings")
    if not os.environ.get("DATABASE_URL"):
        # The embedded database is for development: secrets then come from the state folder.
        os.environ.setdefault("SMARTQUEUE_DEBUG", "1")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
