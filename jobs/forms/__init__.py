"""The submit form: one class a job type, made of real fields, and one that takes the payload as JSON."""

from collections.abc import Mapping

from jobs.forms.base import RawForm, SubmitForm
from jobs.forms.data_export import DataExportForm
from jobs.forms.etl import EtlForm
from jobs.forms.http import HttpForm
from jobs.forms.image import ImageForm
from jobs.forms.mail import EmailForm
from jobs.forms.ml import MlForm
from jobs.forms.python_task import PythonForm
from jobs.forms.shell import ShellForm

FORMS: Mapping[str, type[SubmitForm]] = {
    "http": HttpForm,
    "shell": ShellForm,
    "email": EmailForm,
    "image-resize": ImageForm,
    "etl": EtlForm,
    "ml": MlForm,
    "data-export": DataExportForm,
    "python": PythonForm,
    # its input is any JSON
    "external": RawForm,
}

__all__ = ["FORMS", "RawForm", "SubmitForm"]
