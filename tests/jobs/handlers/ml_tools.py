"""ml jobs without a worker: the files they read and left behind, and tables to learn from."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jobs.handlers import registry
from jobs.handlers.base import Answer, Done
from tests.jobs.handlers.fakes import Reported, make_context

ARTEFACT = "018f0000-0000-7000-8000-0000000000aa"
MODEL_ARTEFACT = "018f0000-0000-7000-8000-0000000000bb"


class Keeping(Reported):
    """Keeps artefacts as bytes, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    def artefact_file(self, name: str, path: Path, content_type: str) -> str:
        self.files[name] = path.read_bytes()
        return f"artefact-{len(self.files)}"


def answered(folder: Path, payload: Mapping[str, Any], **files: bytes) -> tuple[Answer, Keeping]:
    """What run() says when gather() has left these files; `model`, or `data_csv` for data.csv."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    handler, reporter = registry.get("ml"), Keeping()
    handler.check(payload, {})
    return handler.run(make_context("ml", payload, reporter=reporter, folder=folder)), reporter


def worked(folder: Path, payload: Mapping[str, Any], **files: bytes) -> tuple[dict[str, Any], Keeping]:
    answer, reporter = answered(folder, payload, **files)
    assert isinstance(answer, Done), answer
    return answer.result, reporter


def as_csv(columns: Mapping[str, Any]) -> bytes:
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(columns)
    lines.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def from_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def plain_table(rows: int = 300, classes: int = 2) -> dict[str, list[Any]]:
    """Numbers that say something about a class and about an amount; columns whose text is the number exactly."""
    random = np.random.default_rng(5)
    x = random.normal(size=(rows, 4)).round(3)
    score = x[:, 0] + x[:, 1] * x[:, 2] + random.normal(scale=0.3, size=rows)
    cuts = np.quantile(score, np.arange(1, classes) / classes)
    return {
        **{f"x{number}": x[:, number].tolist() for number in range(4)},
        "class": [f"class {number}" for number in np.searchsorted(cuts, score)],
        "amount": score.round(3).tolist(),
    }


def mixed_table(rows: int = 300) -> dict[str, list[Any]]:
    """All kinds of columns, with gaps."""
    random = np.random.default_rng(7)
    size = random.normal(size=rows).round(3)
    colour = random.choice(["red", "green", "blue"], size=rows)
    member = random.choice(["true", "false"], size=rows)
    days = random.integers(0, 900, size=rows)
    score = size + (colour == "red") * 2 + (member == "true") + days / 900 + random.normal(scale=0.2, size=rows)
    table: dict[str, list[Any]] = {
        "size": size.tolist(),
        "colour": colour.tolist(),
        "member": member.tolist(),
        "since": [str(np.datetime64("2024-01-01") + int(day)) for day in days],
        "bought": ["yes" if one > np.median(score) else "no" for one in score],
        "spent": score.round(3).tolist(),
    }
    for name in ("size", "colour", "member", "since"):
        for row in random.choice(rows, size=rows // 20, replace=False):
            table[name][row] = ""
    return table
