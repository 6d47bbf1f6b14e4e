"""No page asks the database more than twelve times, whatever it shows: the same list of pages as the browser walks."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.browser.test_every_page import PAGES, Filled, filled, looker
from tests.factories import browser

pytestmark = pytest.mark.django_db(transaction=True)

MOST = 12
__all__ = ["filled"]


def test_no_page_asks_more_than_twelve_times(filled: Filled) -> None:
    found: dict[str, int] = {}
    for path, name in PAGES:
        person = looker(filled.world, name)
        client = browser(person) if person else Client()
        asked: list[str] = []

        def counting(execute: Any, sql: str, *args: Any, asked: list[str] = asked) -> Any:
            asked.append(sql)
            return execute(sql, *args)

        address = path.format(**filled.ids)
        with connection.execute_wrapper(counting):
            client.get(address)
        questions = [text for text in asked if not text.startswith(("SAVEPOINT", "RELEASE"))]
        if len(questions) > MOST:
            found[f"{address} as {name}"] = len(questions)

    assert found == {}
