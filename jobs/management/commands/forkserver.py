"""manage.py forkserver: started by a worker, for its isolated attempts."""

import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jobs.processes.forkserver import main


class Command(BaseCommand):
    help = "Forks the processes of isolated attempts; a worker starts it when it needs one."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("descriptor", type=int, help="Of the socket on which the worker asks.")

        parser.add_argument("--confined", default="", help="The job type whose attempts are shut in.")

    def handle(self, *args: Any, descriptor: int, confined: str, **options: Any) -> None:
        main(socket.socket(fileno=descriptor), confined=confined)
