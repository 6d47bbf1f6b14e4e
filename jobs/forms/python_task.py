"""The fields of a python job: which task, and its arguments."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from jobs.forms.base import SubmitForm
from jobs.forms.fields import JsonField
from jobs.handlers.python_task import Task, tasks
from jobs.handlers.schemas import expected


class PythonForm(SubmitForm):
    task = forms.ChoiceField()
    kwargs = JsonField(rows=6, label="Arguments, as JSON")

    FIELDS = {"task": "task", "kwargs": "kwargs"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choice_field("task").choices = [(one.name, one.name) for one in tasks()]

    def payload(self) -> dict[str, Any]:
        return {"task": self.cleaned_data["task"], "kwargs": self.cleaned_data["kwargs"]}

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        arguments = json.dumps(payload.get("kwargs", {}), indent=2, ensure_ascii=False)
        return {"task": payload.get("task", ""), "kwargs": arguments}

    def shown_task(self) -> "TaskShown | None":
        """The chosen task, or the first."""
        known = {one.name: one for one in tasks()}
        chosen = known.get(str(self["task"].value())) or next(iter(known.values()), None)
        return TaskShown(chosen) if chosen else None


@dataclass(frozen=True, slots=True)
class TaskShown:
    """A task as the form explains it."""

    task: Task

    @property
    def arguments(self) -> list[dict[str, Any]]:
        """Name, what it takes, and its default (None: it must be given)."""
        required = self.task.schema["required"]
        return [
            {
                "name": name,
                "takes": expected(schema),
                "default": None if name in required else json.dumps(schema.get("default"), ensure_ascii=False),
            }
            for name, schema in self.task.schema["properties"].items()
        ]

    @property
    def skeleton(self) -> str:
        """Arguments to start from: the defaults, and an empty value where there is none."""
        values = {name: start_value(schema) for name, schema in self.task.schema["properties"].items()}
        return json.dumps(values, indent=2, ensure_ascii=False)


def start_value(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return start_value(schema["anyOf"][0])
    empty = {"integer": 1, "number": 1.0, "string": "", "boolean": False, "array": [], "object": {}}
    return empty.get(schema.get("type", ""))
