"""What stands in narrow cards can be read."""

import pytest

from jobs.queue.control import pause
from tests.browser.conftest import Site
from tests.conftest import World
from tests.factories import api, make_job
from tests.jobs.queue.acts import scope_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LINES = """
(cell) => new Set([...cell.querySelectorAll(":scope > span")].flatMap((span) => {
    const range = document.createRange();
    range.selectNodeContents(span);
    return [...range.getClientRects()].map((box) => Math.round(box.top));
})).size
"""


def test_ids_of_the_audit_trail_are_not_torn(site: Site, world: World) -> None:
    job = make_job(world.org)
    cancelled = api(world.owner).post(f"/api/v1/jobs/{job.pk}/cancellation/", {"reason": "not needed"})
    pause("default", scope=scope_of(world))

    page = site.visit("/audit/", world.owner, width=360)

    entry = page.locator("tr", has_text="job.cancel")
    target, origin = entry.locator("td[data-label='On what']"), entry.locator("td[data-label=From]")
    assert str(job.pk) in target.inner_text()
    assert cancelled["X-Correlation-ID"] in origin.inner_text()
    # the id is one line; the address is one, and the request's id another
    assert (target.evaluate(LINES), origin.evaluate(LINES)) == (1, 2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # what is short stands beside its label
    short = page.locator("tr", has_text="queue.pause").locator("td[data-label='On what'] > span")
    label = page.locator("tr", has_text="queue.pause").locator("td[data-label='On what']")
    short_box, label_box = short.bounding_box(), label.bounding_box()
    assert short_box
    assert label_box
    assert short_box["x"] - label_box["x"] > 90
