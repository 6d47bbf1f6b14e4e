"""The Dockerfile and .dockerignore, as far as tests ask about them."""

import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tests.process import ROOT


class Instruction(NamedTuple):
    word: str
    rest: str


def instructions() -> list[Instruction]:
    """Lines that go on are one; comments are left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    split = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [Instruction(word.upper(), rest) for word, rest in split]


def stages() -> list[list[Instruction]]:
    """The instructions of each stage, its FROM first."""
    found: list[list[Instruction]] = []
    for one in instructions():
        if one.word == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def final() -> list[Instruction]:
    """Those that make the last image, with those of the stage that it goes on from."""
    _, core, full = stages()
    assert of(full, "FROM") == [of(core, "FROM")[0].split(" AS ")[1]]
    return [*core, *full[1:]]


def of(stage: list[Instruction], word: str) -> list[str]:
    return [one.rest for one in stage if one.word == word]


def command() -> list[str]:
    """What a container runs that is told nothing else."""
    found: list[str] = json.loads(of(final(), "CMD")[-1])
    return found


def healthcheck() -> list[str]:
    found: list[str] = json.loads(of(final(), "HEALTHCHECK")[-1].split("CMD", 1)[1])
    return found


def environ() -> dict[str, str]:
    words = [word for rest in of(final(), "ENV") for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


def is_sent(path: PurePosixPath) -> bool:
    """Whether a file of the checkout is sent to the build: of the lines of .dockerignore the last that fits counts."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        if fits(path, pattern.removeprefix("!")):
            sent = pattern.startswith("!")
    return sent


def fits(path: PurePosixPath, pattern: str) -> bool:
    """Of the forms that stand there: `*`, `**/name` and a plain path; what fits a folder fits all in it."""
    if pattern == "*":
        return True
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern.removeprefix("**/")) for part in path.parts)
    assert "*" not in pattern, f"{pattern}: a form that this does not know"
    return path == PurePosixPath(pattern) or PurePosixPath(pattern) in path.parents


def sent_files() -> list[PurePosixPath]:
    skipped = {".git", ".venv"}
    return [
        relative
        for path in sorted(ROOT.rglob("*"))
        if not skipped & set((relative := PurePosixPath(path.relative_to(ROOT))).parts)
        and Path(path).is_file()
        and is_sent(relative)
    ]
