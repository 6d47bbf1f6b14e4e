"""python: a function that the operator registered with @task, in a module that TASK_MODULES names."""

import importlib
import inspect
import logging
import threading
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, overload

from django.conf import settings
from django.utils.translation import gettext_noop

from jobs.handlers.base import Answer, Context, Done, Handler, HandlerNotReady
from jobs.handlers.schemas import Fault, Validator, faults
from jobs.handlers.signatures import BadSignature, signature_of

__all__ = ["BadSignature", "Context", "Task", "task", "tasks"]

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Task:
    """A registered function: its name in payloads, what its docstring says, and the schema of its kwargs."""

    name: str
    doc: str
    schema: Mapping[str, Any]
    function: Callable[..., Any]
    takes_context: bool
    is_async: bool
    is_isolated: bool
    is_transactional: bool
    has_files: bool
    validator: Validator
    # Names of arguments that are not shown.
    secret: frozenset[str] = frozenset()

    def call(self, context: Context, kwargs: Mapping[str, Any]) -> Any:
        return self.function(context, **kwargs) if self.takes_context else self.function(**kwargs)


_registered: dict[str, Task] = {}
# A task module may itself ask for the tasks.
_loading = threading.RLock()
# The list of modules that was last found to be all imported.
_loaded: dict[str, Sequence[str]] = {}
# By module: imported, or why not.
_modules: dict[str, str | None] = {}


@overload
def task(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def task(
    *,
    name: str = "",
    isolated: bool = False,
    transactional: bool = False,
    files: bool = False,
    secret: Collection[str] = (),
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    isolated: bool = False,
    transactional: bool = False,
    files: bool = False,
    secret: Collection[str] = (),
) -> Any:
    """Let python jobs run this function, under `name` or module.function. It stays an ordinary function.

    An `async def` is awaited on the event loop of its worker process, beside the others there; a `def` has a thread.

    isolated: each attempt has a process of its own, with bounds on what it takes. For what computes much, and what may
    crash or hang: neither harms the worker.

    transactional: what it writes to the default database is committed together with the end of its attempt, or not at
    all. So its effect happens exactly once, however often it is tried.

    files: each attempt has a folder, for context.copy_artefact(), path() and artefact_file(). Not for an `async def`.

    secret: names of parameters whose values are not shown, as those are not that are called password or token.

    A module called `tasks` lends the name of its package: add() in acme/billing/tasks.py is billing.add.
    """
    if function is None:
        return lambda function: register(
            function, name, isolated=isolated, transactional=transactional, files=files, secret=secret
        )
    return register(function, name)


def register(
    function: Callable[..., Any],
    name: str,
    *,
    isolated: bool = False,
    transactional: bool = False,
    files: bool = False,
    secret: Collection[str] = (),
) -> Callable[..., Any]:
    signature = signature_of(function, frozenset([secret] if isinstance(secret, str) else secret))
    is_async = inspect.iscoroutinefunction(function)
    if isolated + transactional + is_async > 1:
        raise BadSignature(f"{function.__qualname__} can be only one of isolated, transactional and async.")
    if files and is_async:
        raise BadSignature(
            f"{function.__qualname__} is async, and has no folder: files are read and written in threads."
        )
    name = name or default_name(function)
    other = _registered.get(name)
    if other and (other.function.__module__, other.function.__qualname__) != (
        function.__module__,
        function.__qualname__,
    ):
        raise BadSignature(f"Two tasks are called {name!r}: in {other.function.__module__} and {function.__module__}.")
    _registered[name] = Task(
        name=name,
        doc=inspect.getdoc(function) or "",
        schema=signature.schema,
        function=function,
        takes_context=signature.takes_context,
        is_async=is_async,
        is_isolated=isolated,
        is_transactional=transactional,
        has_files=files,
        validator=Validator(signature.schema),
        secret=signature.secret,
    )
    return function


def default_name(function: Callable[..., Any]) -> str:
    *packages, module = function.__module__.split(".")
    return f"{packages[-1] if packages and module == 'tasks' else module}.{function.__name__}"


def tasks() -> list[Task]:
    """Every task there is, by name."""
    load()
    return [_registered[name] for name in sorted(_registered)]


def known(name: str) -> Task | None:
    load()
    return _registered.get(name)


def load() -> list[str]:
    """Import TASK_MODULES, each once; returns a sentence for each that could not be."""
    wanted = settings.TASK_MODULES
    if wanted is _loaded.get("modules"):
        return []
    with _loading:
        for module in wanted:
            if module not in _modules:
                _modules[module] = import_fault(module)
        broken = [fault for module in wanted if (fault := _modules[module])]
        if not broken:
            _loaded["modules"] = wanted
        return broken


def import_fault(module: str) -> str | None:
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        steps = [step for step in traceback.extract_tb(error.__traceback__) if not step.filename.startswith("<")]
        fault = f"SMARTQUEUE_TASK_MODULES: {module} cannot be imported: {type(error).__name__}: {error}"
        # The first step is this function's.
        if steps[1:]:
            fault += f" ({steps[-1].filename}, line {steps[-1].lineno})"
        log.error(fault)
        return fault
    return None


class PythonTaskHandler(Handler):
    type = "python"
    title = gettext_noop("Python task")
    description = gettext_noop("Runs a function of your own code that is registered as a task.")
    schema = {
        "type": "object",
        "properties": {
            "task": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The task's name."},
            "kwargs": {"type": "object", "default": {}, "description": "Its arguments, by name."},
        },
        "required": ["task"],
        "additionalProperties": False,
    }
    example = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}

    def prepare(self) -> None:
        if broken := load():
            raise HandlerNotReady("\n".join(broken))

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[Fault]:
        found = known(payload["task"])
        if found is None:
            names = ", ".join(sorted(_registered)) or "none"
            return [("/task", f"There is no task {payload['task']!r:.60}; there are: {names}."[:300])]
        return faults(found.validator, payload.get("kwargs", {}), "/kwargs")

    def run(self, context: Context) -> Answer:
        found = _registered[context.payload["task"]]
        return Done(found.call(context, context.payload.get("kwargs", {})))

    def is_isolated(self, payload: Mapping[str, Any]) -> bool:
        found = _registered.get(payload.get("task", ""))
        return found is not None and found.is_isolated

    def works_with_files(self, payload: Mapping[str, Any]) -> bool:
        found = _registered.get(payload.get("task", ""))
        return found is not None and found.has_files

    def is_transactional(self, payload: Mapping[str, Any]) -> bool:
        found = _registered.get(payload.get("task", ""))
        return found is not None and found.is_transactional

    def is_async(self, payload: Mapping[str, Any]) -> bool:
        found = _registered.get(payload.get("task", ""))
        return found is not None and found.is_async

    async def run_async(self, context: Context) -> Answer:
        found = _registered[context.payload["task"]]
        return Done(await found.call(context, context.payload.get("kwargs", {})))
