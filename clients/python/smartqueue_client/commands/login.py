"""sq login: keep who you are, in a file that only you can read."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from typing import Any

from smartqueue_client import config
from smartqueue_client.client import Client
from smartqueue_client.commands.common import EXAMPLES, output_of
from smartqueue_client.errors import Forbidden

# Until he has signed in.
NOBODY = "-"
ABOUT = """\
examples:
  sq login --url https://queue.example.org              asks for name and password
  sq login --username ada < password.txt
  sq login --key < key.txt                              a key of the organisation in place of a person
"""


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        "login", parents=[shared], help="sign in, and stay so", epilog=ABOUT, formatter_class=EXAMPLES
    )
    parser.add_argument("--username", default=os.environ.get("SMARTQUEUE_USERNAME", ""), help="(SMARTQUEUE_USERNAME)")
    parser.add_argument("--key", action="store_true", help="with a key (sq_live_…), asked for or on standard input")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    output = output_of(asked)
    url = config.address(getattr(asked, "url", "") or "")
    said: dict[str, Any] = {"url": url, "org": getattr(asked, "org", "")}
    # whoever it is, he has to be let in before anything is kept
    if asked.key:
        key = secret("Key: ")
        client = Client(url, key=key, org=said["org"])
        try:
            client.call("GET", "counts/")
        except Forbidden as error:
            # good, if for little: that of a worker
            output.say(str(error))
        said["key"], who = key, "a key"
    else:
        username = asked.username or asked_for("Username: ")
        client = Client(url, token=NOBODY, org=said["org"])
        user = client.sign_in(username, secret("Password: "))
        bearer: Any = client.connection.bearer
        said.update(access=bearer.token, refresh=bearer.refresh, username=username)
        who = f"{user['username']} in {said['org'] or user['active_org'] or 'no organisation'}"
    with config.turn():
        config.keep(said)
    output.say(f"Signed in to {url} as {who}; kept in {config.path()}")
    return 0


def secret(prompt: str) -> str:
    """Asked for unseen on a terminal, else a line of standard input."""
    given = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()
    if not given.strip():
        raise ValueError("nothing was given")
    return given.rstrip("\r\n")


def asked_for(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise ValueError("who? --username says it")
    print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
