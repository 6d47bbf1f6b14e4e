"""The submit form: one class a job type, made of real fields, and one that takes the payload as JSON."""

from collections.abc import Mapping

from jobs.forms.base import RawForm, SubmitForm
from jobs.forms.etl import EtlForm
from jobs.forms.http import HttpForm
from jobs.forms.python_task import PythonForm
from jobs.forms.shell import ShellForm

FORMS: Mapping[str, type[SubmitForm]] = {"http": HttpForm, "shell": ShellForm, "python": PythonForm, "etl": EtlForm}

__all__ = ["FORMS", "RawForm", "SubmitForm"]
