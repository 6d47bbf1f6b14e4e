"""sq logout: end the session and forget it."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

from smartqueue_client import config
from smartqueue_client.commands.common import output_of
from smartqueue_client.connection import Connection
from smartqueue_client.errors import SmartQueueError


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("logout", parents=[shared], help="end the session of sq login, and forget it")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    with config.turn():
        said = config.kept()
        config.forget()
    if said.get("refresh"):
        # it is forgotten here, whether or not the server hears of it
        with contextlib.suppress(SmartQueueError):
            Connection(said["url"], "").post("auth/logout/", {"refresh": said["refresh"]})
    output_of(asked).say("Signed out." if said else "Nobody was signed in.")
    return 0
