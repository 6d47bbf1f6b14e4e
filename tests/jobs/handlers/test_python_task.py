"""python jobs: registered functions, by name, with checked arguments."""

import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers import python_task, registry
from jobs.handlers.base import Done, HandlerNotReady, PermanentFailure, Stopped, StopReason
from jobs.handlers.python_task import BadSignature, task, tasks
from tests.jobs.handlers.fakes import make_context, reported, run


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a test registers is gone after it."""
    monkeypatch.setattr(python_task, "_registered", {})
    monkeypatch.setattr(python_task, "_modules", {})
    return python_task._registered


def call(task: str, **kwargs: Any) -> Any:
    return run("python", {"task": task, "kwargs": kwargs})


def refused(payload: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidPayload) as refusal:
        registry.get("python").check(payload, {})
    return dict(refusal.value.errors)


def test_a_task_is_run_by_its_name_and_returns_its_result() -> None:
    assert call("demo.add", a=2, b=3) == Done(5)


def test_a_task_may_have_a_name_of_its_own() -> None:
    assert call("tests.named") == Done("called by its given name")
    assert refused({"task": "tests.has_another_name"})["/task"].startswith("There is no task")


def test_a_task_that_asks_for_the_context_gets_it() -> None:
    context = make_context("python", {"task": "tests.about_me", "kwargs": {"greeting": "good day"}}, attempt=3)

    answer = registry.get("python").perform(context)

    assert answer == Done({"attempt": 3, "correlation_id": "corr-1"})
    assert reported(context).lines == [("log", "good day from attempt 3")]
    assert reported(context).steps == [(0.5, "half way")]


def test_defaults_fill_what_is_not_given() -> None:
    context = make_context("python", {"task": "tests.about_me"})
    registry.get("python").perform(context)
    assert reported(context).lines == [("log", "hello from attempt 1")]


@pytest.mark.parametrize(
    ("kwargs", "errors"),
    [
        ({"a": 1}, {"/kwargs/b": "This field is required."}),
        ({}, {"/kwargs/a": "This field is required.", "/kwargs/b": "This field is required."}),
        ({"a": 1, "b": "2"}, {"/kwargs/b": "Expected a whole number."}),
        ({"a": 1, "b": 2, "c/d~": 3}, {"/kwargs/c~1d~0": "There is no such field; there are: a, b."}),
    ],
)
def test_arguments_that_do_not_fit_are_named(kwargs: dict[str, Any], errors: dict[str, str]) -> None:
    assert refused({"task": "demo.add", "kwargs": kwargs}) == errors


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "demo",
        "demo.",
        "demo.add.__call__",
        "smartqueue.demo.tasks.add",
        "__import__",
        "..",
        "../demo.add",
        "demo.Add",
        " demo.add",
        "demo.add\n",
        "jobs.handlers.python_task.tasks",
    ],
)
def test_only_registered_names_are_tasks(name: str) -> None:
    assert refused({"task": name})["/task"].startswith("There is no task")


def test_an_unknown_name_imports_nothing() -> None:
    assert "this.is.nothing" not in sys.modules
    assert "antigravity" not in sys.modules

    refused({"task": "antigravity.fly"})

    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "payload",
    [{}, {"task": ""}, {"task": 3}, {"task": "demo.add", "args": [1, 2]}, {"task": "demo.add", "kwargs": [1, 2]}],
)
def test_a_payload_of_another_shape_is_refused(payload: dict[str, Any]) -> None:
    assert refused(payload)


def test_a_task_is_checked_again_when_it_runs() -> None:
    with pytest.raises(InvalidPayload):
        call("demo.add", a="1", b=2)


def test_the_list_names_each_task_with_what_it_takes() -> None:
    (add,) = [one for one in tasks() if one.name == "demo.add"]

    assert add.doc == "The sum of two whole numbers."
    assert add.schema["required"] == ["a", "b"]
    assert [one.name for one in tasks()] == sorted(one.name for one in tasks())


def test_a_decorated_function_stays_a_function() -> None:
    from smartqueue.demo.tasks import add

    assert add(1, 2) == 3


def test_a_module_called_tasks_lends_the_name_of_its_package(own_registry: dict[str, Any]) -> None:
    def count(a: int) -> int:
        return a

    for module in ("acme.billing.tasks", "acme.reports", "tasks"):
        count.__module__ = module
        task(count)

    assert sorted(own_registry) == ["billing.count", "reports.count", "tasks.count"]


def test_two_functions_of_one_name_are_refused(own_registry: dict[str, Any]) -> None:
    @task(name="acme.count")
    def one() -> None: ...

    with pytest.raises(BadSignature, match=r"Two tasks are called 'acme\.count'"):

        @task(name="acme.count")
        def two() -> None: ...


@pytest.fixture
def module(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, own_registry: dict[str, Any]) -> Any:
    """Write a task module of this text, and name it in the settings."""

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)
        settings.TASK_MODULES = [*settings.TASK_MODULES, name]

    settings.TASK_MODULES = []
    return write


def test_task_modules_are_imported_once(module: Any) -> None:
    module("counted_tasks", "import sys\nsys.counted = getattr(sys, 'counted', 0) + 1\n")
    tasks()
    tasks()

    assert sys.counted == 1  # type: ignore[attr-defined]
    del sys.counted  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import not_there", "No module named 'not_there' .*broken_tasks.py, line 1"),
        ("x = (", "SyntaxError"),
        ("import sys\nsys.exit(2)", "SystemExit: 2 .*line 2"),
        (
            "from jobs.handlers.python_task import task\n@task\ndef f(a): ...",
            "BadSignature: Task broken_tasks.f, parameter 'a' has no annotation",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_when_a_worker_starts(module: Any, text: str, words: str) -> None:
    module("broken_tasks", text)

    with pytest.raises(HandlerNotReady, match=f"SMARTQUEUE_TASK_MODULES: broken_tasks cannot be imported: .*{words}"):
        registry.prepare(["python"])


def test_a_broken_module_does_not_take_the_others_with_it(module: Any) -> None:
    module("broken_tasks", "import not_there")
    module("whole_tasks", "from jobs.handlers.python_task import task\n@task\ndef f(a: int) -> int: return a")

    assert [one.name for one in tasks()] == ["whole_tasks.f"]


def test_a_task_that_gives_up_says_so_to_its_caller() -> None:
    with pytest.raises(PermanentFailure, match="no use"):
        call("tests.give_up", reason="no use")


# --- the demo's own ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("below", "count", "largest"), [(0, 0, 0), (3, 1, 2), (100, 25, 97), (10_000, 1229, 9973)])
def test_primes_counts_primes(below: int, count: int, largest: int) -> None:
    assert call("demo.primes", below=below) == Done({"count": count, "largest": largest})


def test_primes_ends_when_cancelled() -> None:
    context = make_context("python", {"task": "demo.primes", "kwargs": {"below": 20_000_000}})
    context.stop(StopReason.CANCELLED)

    with pytest.raises(Stopped):
        registry.get("python").perform(context)


def test_word_count_ranks_words() -> None:
    answer = call("demo.word_count", text="The cat and the dog. The end!", top=2)
    assert answer == Done({"words": 7, "different": 5, "top": {"the": 3, "and": 1}})


def test_flaky_fails_until_its_attempt() -> None:
    payload = {"task": "demo.flaky", "kwargs": {"succeed_on": 2}}
    with pytest.raises(RuntimeError, match="attempt 1 fails"):
        run("python", payload, attempt=1)

    assert run("python", payload, attempt=2) == Done("worked on attempt 2")


def test_fail_always_fails_with_its_reason() -> None:
    with pytest.raises(RuntimeError, match="because"):
        call("demo.fail_always", reason="because")


def test_wait_reports_how_far_it_is() -> None:
    context = make_context("python", {"task": "demo.wait", "kwargs": {"seconds": 0.02}})

    assert registry.get("python").perform(context) == Done({"waited_seconds": 0.02})
    assert reported(context).steps[0] == (0.0, "0.0 of 0.02 s")
    assert reported(context).steps[-1] == (1.0, "waited 0.02 s")


def test_wait_ends_at_once_when_cancelled() -> None:
    context = make_context("python", {"task": "demo.wait", "kwargs": {"seconds": 3600.0}})
    context.stop(StopReason.CANCELLED)

    with pytest.raises(Stopped):
        registry.get("python").perform(context)
