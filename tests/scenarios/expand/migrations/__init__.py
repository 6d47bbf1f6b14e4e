"""Those of `jobs`, and some more."""

from pathlib import Path

from jobs import migrations

LATEST = sorted(path.stem for path in Path(migrations.__path__[0]).glob("[0-9]*.py"))[-1]
__path__ = [*migrations.__path__, *__path__]
