"""The job types: one file each. A new type is a file here and a line in this list."""

from jobs.handlers.base import registry
from jobs.handlers.django_task import DjangoTaskHandler
from jobs.handlers.etl import EtlHandler
from jobs.handlers.http import HttpHandler
from jobs.handlers.python_task import PythonTaskHandler
from jobs.handlers.shell import ShellHandler

for handler in (HttpHandler(), ShellHandler(), PythonTaskHandler(), DjangoTaskHandler(), EtlHandler()):
    registry.add(handler)

registry.unavailable |= {
    name: f"The job type {name!r} is not available in this version; there are: {', '.join(registry.offered())}."
    for name in ("ml", "email", "image-resize", "data-export")
}

__all__ = ["registry"]
