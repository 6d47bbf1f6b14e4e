"""sq artefacts: the files of a job, and their download."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from smartqueue_client.commands.common import client_of, output_of
from smartqueue_client.output import age


def add_to(commands: Any, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("artefacts", parents=[shared], help="the files of a job, and their download")
    parser.add_argument("id")
    parser.add_argument("--save", metavar="FOLDER", type=Path, help="download them into this folder")
    parser.add_argument("--name", help="only the file of this name")
    parser.set_defaults(run=run)


def run(asked: argparse.Namespace) -> int:
    output, client = output_of(asked), client_of(asked)
    found = [one for one in client.artefacts(asked.id) if asked.name in (None, one["name"])]
    if asked.save is not None:
        if not asked.save.is_dir():
            raise ValueError(f"{asked.save} is no folder")
        for one in found:
            output.say(f"saved {client.download(asked.id, one, asked.save)}")
    if not output.human:
        for one in found:
            output.json(one)
    elif found:
        rows = [
            [one["id"], one["size_bytes"], one["content_type"], age(one["created_at"]), one["name"]] for one in found
        ]
        output.table(("ID", "BYTES", "TYPE", "AGE", "NAME"), rows)
    else:
        output.say("It has no such file.")
    return 0 if found or asked.name is None else 3
