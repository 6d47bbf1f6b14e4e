"""Hostile text in every column, in a real Chromium: nothing of it runs, and nothing is asked for but by us."""

import pytest
from playwright.sync_api import Page
from pytest_django import Settings

from jobs.models import ErrorGroup
from tests.browser.conftest import Site
from tests.browser.test_every_page import PAGES
from tests.conftest import World
from tests.factories import some_weights
from tests.hostile.columns import overwrite
from tests.hostile.rows import fill
from tests.hostile.texts import HOSTILE, MARK

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# By the place of a column: three runs put three of them into each.
TEXTS = list(HOSTILE.values())


def alive(page: Page) -> str:
    """What should not be there, in the page as it has become."""
    found: str = page.evaluate(
        f"""() => [...document.querySelectorAll("{MARK}, [{MARK}], img, iframe, [onerror], [onmouseover], [onfocus],"
            + "[href^='javascript' i], [src^='javascript' i]")].map((one) => one.outerHTML.slice(0, 200)).join()"""
    )
    return found


@pytest.mark.parametrize("shift", [0, 5, 11])
def test_nothing_that_is_written_in_a_column_runs(
    site: Site, world: World, settings: Settings, tmp_path: object, shift: int
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    some_weights()
    filled = fill(world)
    overwrite(lambda place: TEXTS[(place + shift) % len(TEXTS)])
    page = site.visit("/", world.owner)
    page.on("dialog", lambda dialog: site.complaints.append(f"dialog: {dialog.message}"))
    ids = filled.ids | {name.removesuffix("_id"): value for name, value in filled.names.items()}
    ids["error"] = ErrorGroup.objects.values_list("fingerprint", flat=True)[0]
    # whose name is another by then
    gone = "/queues/default/"
    asked = [path for path, person in PAGES if person == "owner" and "nothing" not in path and path != gone]
    paths = sorted({path.format(**ids) for path in asked})

    for path in paths:
        page.goto(path)
        for summary in page.locator("summary").all()[:5]:
            summary.evaluate("(one) => { one.parentElement.open = true; }")
        page.mouse.move(400, 300)
        assert alive(page) == "", path
        site.complaints += page.evaluate("window.refused")
    assert len(paths) > 20
