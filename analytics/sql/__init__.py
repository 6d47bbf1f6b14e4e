"""The questions of the overview, one a file; run("counts", org_id=…) runs counts.sql and returns its rows.

`{{name}}` in a file stands for the text of another.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connection

FOLDER = Path(__file__).parent


@cache
def statement(name: str) -> str:
    text = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: statement(found[1]), text)


def run(name: str, **params: Any) -> list[dict[str, Any]]:
    """Rows as dictionaries; every name in the file must be given."""
    with connection.cursor() as cursor:
        cursor.execute(statement(name), params)
        columns = [column.name for column in cursor.description or ()]
        return [dict(zip(columns, values, strict=True)) for values in cursor.fetchall()]
