"""Attempts of types that work with files, without a database: what they read is given, what they keep is kept here."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jobs.handlers import registry
from jobs.handlers.base import Answer, Context, Input, PermanentFailure
from jobs.processes.children import run_in_child
from tests.jobs.handlers.fakes import Reported, make_context


@dataclass
class File:
    data: bytes
    name: str = "photo.jpg"
    content_type: str = "application/octet-stream"


@dataclass
class Kept(Reported):
    """A Reporter with the organisation's files, by id, and those that the attempt keeps, by name."""

    files: Mapping[str, File]
    lines: list[tuple[str, str]] = field(default_factory=list)
    steps: list[tuple[float, str]] = field(default_factory=list)
    kept: dict[str, File] = field(default_factory=dict)

    def artefact_file(self, name: str, path: Path, content_type: str) -> str:
        assert name not in self.kept
        self.kept[name] = File(path.read_bytes(), name, content_type)
        return f"id of {name}"

    def copy_artefact(self, artefact_id: str, to: Path) -> Input:
        if artefact_id not in self.files:
            raise PermanentFailure(f"Your organisation has no artefact {artefact_id}.")
        found = self.files[artefact_id]
        to.write_bytes(found.data)
        return Input(to, found.name, found.content_type)


def with_files(type: str, payload: Mapping[str, Any], folder: Path, files: Mapping[str, File]) -> tuple[Context, Kept]:
    kept = Kept(files)
    return make_context(type, payload, reporter=kept, folder=folder), kept


def confined(context: Context) -> Answer:
    """As a worker runs an attempt that is shut in, in a process of its own."""
    handler = registry.get(context.type)
    handler.check(context.payload, context.org_settings)
    handler.gather(context)
    return handler.deliver(context, run_in_child(context, handler))


def assert_was_confined(caplog: pytest.LogCaptureFixture) -> None:
    said = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    if any("the kernel has no Landlock" in text or "no network namespace" in text for text in said):
        pytest.skip(f"NOT TESTED CONFINED: {said}")
    assert said == []
