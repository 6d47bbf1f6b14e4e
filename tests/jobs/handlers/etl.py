"""Runs etl jobs beside any worker: its files are given and kept as bytes."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from jobs.handlers import registry
from jobs.handlers.base import Answer, Done, Fail
from jobs.handlers.etl.sources import file_name
from tests.jobs.handlers.fakes import Reported, make_context

ID = "018f0000-0000-7000-8000-0000000000ff"
FILE = {"artefact": ID}


class Kept(Reported):
    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    def artefact_file(self, name: str, path: Path, content_type: str) -> str:
        self.files[name] = path.read_bytes()
        return name


class Ran(NamedTuple):
    answer: Answer
    reporter: Kept

    @property
    def result(self) -> dict[str, Any]:
        assert isinstance(self.answer, Done | Fail), self.answer
        found: dict[str, Any] = self.answer.result
        return found

    def text(self, name: str = "out.csv") -> str:
        assert isinstance(self.answer, Done), self.answer
        return self.reporter.files[name].decode()


def ran(payload: Mapping[str, Any], *files: bytes, format: str = "csv") -> Ran:
    """run() of a payload that is accepted; the first file is the source's, the next that of the first step."""
    handler = registry.get("etl")
    handler.check(payload, {})
    reporter = Kept()
    with TemporaryDirectory() as folder:
        for number, data in enumerate(files):
            (Path(folder) / file_name(number, format)).write_bytes(data)
        context = make_context("etl", payload, reporter=reporter, folder=Path(folder), timeout_seconds=300)
        return Ran(handler.run(context), reporter)


def worked(
    data: bytes,
    *steps: Mapping[str, Any],
    format: str = "csv",
    sink: str = "out.csv",
    policy: str = "fail",
    **source: Any,
) -> Ran:
    """One file through these steps."""
    payload = {
        "source": {**FILE, **source},
        "steps": list(steps),
        "sink": {"artefact": sink},
        "on_bad_row": policy,
    }
    return ran(payload, data, format=format)


def out(data: bytes, *steps: Mapping[str, Any], **options: Any) -> list[str]:
    """The lines that come out."""
    return worked(data, *steps, **options).text(options.get("sink", "out.csv")).splitlines()
