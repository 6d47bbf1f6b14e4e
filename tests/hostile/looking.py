"""Every page there is, read as a browser reads it; and what no text of anybody's may put into one."""

import json
import re
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse

from jobs.models import ErrorGroup
from orgs.roles import Gate
from tests.browser.test_every_page import PAGES
from tests.factories import browser
from tests.hostile.rows import STATES, Filled
from tests.hostile.texts import CALCULATED, MARK
from tests.jobs.pages.pages import Element, read
from tests.rights.things import path_of
from tests.rights.walk import OF_PAGES

# Attributes that a browser, or htmx, takes for an address.
ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "xlink:href", "srcset", "ping", "cite"}
ADDRESSES |= {f"hx-{word}" for word in ("get", "post", "put", "patch", "delete", "push-url", "replace-url")}
# What makes no sense on a page of ours, wherever it comes from.
NEVER = {"iframe", "object", "embed", "base", "img", "math", "frame", "applet", MARK}
# What acts on whoever reads it instead of being read.
ACTS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# A scheme that runs, or shows, what follows it.
RUNS = re.compile(r"[\s\x00-\x20]*(javascript|data|vbscript)\s*:", re.I)
HTMX = {"HX-Request": "true"}


def paths(filled: Filled) -> list[str]:
    """Of every page, with each job there is where it is about one."""
    things = {name: filled.names[f"{name}_id"] for name in ("webhook", "delivery", "rule", "schedule", "worker")}
    things["error"] = ErrorGroup.objects.values_list("fingerprint", flat=True)[0]
    found = [path.format(**filled.ids, **things) for path, person in PAGES if person != "outsider"]
    found += [f"/jobs/submit/?from={one}" for one in filled.ids.values()]
    for route in OF_PAGES:
        if "GET" not in route.needs or Gate.OPERATIONS in route.needs.values() or route.path == "/readyz":
            continue
        for state in STATES if route.pattern.name == "job" else STATES[:1]:
            names = {**filled.names, "job_id": filled.ids[state]}
            found.append(path_of(route.path, str(route.pattern.name), names, filled.own))
    return sorted(set(found))


# A path, and whether htmx asks for it.
Asked = tuple[str, bool]


def pages_of(filled: Filled, only: Iterable[Asked] | None = None) -> dict[Asked, Element]:
    """Every page whole, and as htmx asks for it where that is something else; or only those that are given."""
    client = browser(filled.world.owner)
    asked = only or [(path, by_htmx) for path in paths(filled) for by_htmx in (False, True)]
    found = {}
    for path, by_htmx in asked:
        response = client.get(path, headers=HTMX if by_htmx else {})
        if is_page(response, path) and not (by_htmx and response.content.startswith(b"<!doctype")):
            found[path, by_htmx] = looked_at(response, path)
    return found


def is_page(response: Any, path: str) -> bool:
    if response.streaming:
        b"".join(response)
        return False
    assert response.status_code < 500, (path, response.content[:500])
    return str(response.get("Content-Type", "")).startswith("text/html") and response.status_code != 302


def looked_at(response: HttpResponse, path: str) -> Element:
    """A page, if nothing that somebody wrote has become a part of it."""
    text = response.content.decode()
    assert not ACTS.search(text), (path, around(text, ACTS))
    page = read(response)
    for one in page.walk():
        assert_ours(one, path)
    assert CALCULATED not in text, path
    return page


def around(text: str, what: re.Pattern[str]) -> str:
    found = what.search(text)
    return repr(text[max(found.start() - 120, 0) : found.end() + 40]) if found else ""


def assert_ours(one: Element, path: str) -> None:
    where = (path, one.tag, one.attributes)
    # pictures are Django's own, in its admin
    assert one.tag not in NEVER or one.attributes.get("src", "").startswith("/static/admin/img/"), where
    if one.tag == "script" and one.attributes.get("type") == "application/json":
        # what a chart shows: data, that no browser runs
        json.loads(one.raw)
    else:
        assert one.tag != "script" or (one.attributes.get("src") and not one.raw.strip()), where
    assert one.tag != "style", where
    for name, value in one.attributes.items():
        assert not name.startswith(("on", "hx-on", "data-hx")), where
        assert name not in {MARK, "style", "srcdoc"}, where
        assert name in {"value", "title", "aria-label"} or not RUNS.match(value), where
        if name in ADDRESSES:
            assert re.match(r"/(?![/\\])|[#?]|$", value), where
            # an address is written so that it stays one: no break, no blank
            assert not re.search(r"[\s<>\"]", value), where


def shape(page: Element) -> list[Any]:
    """Every element with the names of its attributes, in order."""
    return [(one.tag, sorted(one.attributes)) for one in page.walk()]
