"""The job types: one file each. A new type is a file here and a line in this list."""

from jobs.handlers.base import registry
from jobs.handlers.data_export import DataExportHandler
from jobs.handlers.django_task import DjangoTaskHandler
from jobs.handlers.etl.handler import EtlHandler
from jobs.handlers.external import ExternalHandler
from jobs.handlers.http import HttpHandler
from jobs.handlers.image.handler import ImageHandler
from jobs.handlers.mail.handler import EmailHandler
from jobs.handlers.ml.handler import MlHandler
from jobs.handlers.python_task import PythonTaskHandler
from jobs.handlers.shell import ShellHandler

for handler in (
    HttpHandler(),
    ShellHandler(),
    EmailHandler(),
    ImageHandler(),
    EtlHandler(),
    MlHandler(),
    DataExportHandler(),
    PythonTaskHandler(),
    ExternalHandler(),
    DjangoTaskHandler(),
):
    registry.add(handler)

__all__ = ["registry"]
