"""What the pages about jobs say, and how their lists link to themselves."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from jobs.templatetags.dashboard import span, thousands

register = template.Library()

# Colour and cursor commands; then whatever else would act instead of being read (not tab and line feed).
TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


@register.simple_tag
def list_link(listing: Any, **changes: Any) -> SafeString:
    """The attributes of a link to the same list with some parameters changed; with a script only its region loads."""
    return format_html(
        'href="{0}" hx-get="{0}" hx-target="#{1}" hx-swap="morph:outerHTML" hx-sync="#{1}:queue last"',
        listing.url(**changes),
        listing.region,
    )


@register.simple_tag
def list_without(listing: Any, name: str) -> SafeString:
    """The attributes of a link to the same list without one of its filters."""
    return list_link(listing, **{name: "", "view": ""})


@register.filter
def rounded(value: int) -> str:
    """About so many: two digits that matter."""
    if value >= 1_000_000:
        return _("%(number).1f million") % {"number": value / 1_000_000}
    step = 10 ** max(len(str(value)) - 2, 0)
    return thousands(round(value / step) * step)


@register.simple_tag
def bars(buckets: Any, label: str) -> SafeString:
    """How often something came, as a picture of bars; its words are in `label`."""
    most = max((bucket.attempts for bucket in buckets), default=0) or 1
    shapes = format_html_join(
        "",
        '<rect x="{}" y="{}" width="3" height="{}"></rect>',
        ((4 * place, 20 - height, height) for place, height in enumerate(heights(buckets, most)) if height),
    )
    return format_html(
        '<svg class="bars" role="img" aria-label="{}" viewBox="0 0 {} 20" preserveAspectRatio="none">{}</svg>',
        label,
        4 * len(buckets),
        shapes,
    )


def heights(buckets: Any, most: int) -> list[int]:
    """What came at all is seen."""
    return [max(round(20 * bucket.attempts / most), 2) if bucket.attempts else 0 for bucket in buckets]


@register.simple_tag
def sort_header(listing: Any, word: str, label: str, css: str = "") -> SafeString:
    """The head of a column that the list can be sorted by: newest, longest and most first, then the other way."""
    current = listing.sort.word == word
    down = current and listing.sort.descending
    first = word if word == "name" else f"-{word}"
    other = f"-{word}" if current and not down else word
    order = format_html(' aria-sort="{}"', "descending" if down else "ascending") if current else ""
    mark = format_html(' <span aria-hidden="true">{}</span>', "↓" if down else "↑") if current else ""
    link = list_link(listing, sort=other if current else first)
    head = '<th scope="col" class="{}"{}><a id="sort-{}" {}>{}{}</a></th>'
    return format_html(head, css, order, word, link, label, mark)


@register.simple_tag
def urgency(word: str) -> SafeString:
    """High and low stand out, medium does not."""
    mark = {"high": "↑ ", "low": "↓ "}.get(word, "")
    return format_html('<span class="urgency {}">{}{}</span>', word, mark, word)


@register.filter
def as_query(params: dict[str, str]) -> str:
    """The query part of an address, with its question mark; nothing for nothing."""
    return f"?{urlencode(params)}" if params else ""


@register.filter
def times(share: float) -> str:
    """Actual over predicted, in words."""
    if share >= 1.995:
        return _("%(times)s times as long") % {"times": f"{share:.1f}"}
    if 0.95 <= share <= 1.05:
        return _("as predicted")
    words = _("%(share)s longer") if share > 1 else _("%(share)s less")
    return words % {"share": f"{abs(share - 1) * 100:.0f} %"}


@register.filter
def signed(value: float) -> str:
    """A move in the order: plus is later."""
    return f"{'+' if value >= 0 else '−'}{span(abs(value))}"


@register.filter
def pulled(value: float) -> str:
    """How much a word spoke for something, or against it."""
    return f"{'+' if value >= 0 else '−'}{abs(value):.2f}"


@register.filter
def exact(value: float) -> str:
    """A number as an attribute has it, to the last digit."""
    return repr(float(value))


@register.filter
def epoch(moment: datetime) -> str:
    return exact(moment.timestamp())


@register.filter
def waited(moment: datetime) -> float:
    """Seconds since then."""
    return max((timezone.now() - moment).total_seconds(), 0.0)


@register.filter
def late(value: float) -> str:
    """How far a moment was from when it was expected."""
    if abs(value) < 1:
        return _("as expected")
    words = _("%(span)s later") if value > 0 else _("%(span)s earlier")
    return words % {"span": span(abs(value))}


@register.filter
def policy(word: str) -> str:
    """How a queue is ordered."""
    return {"learned": _("short first"), "fifo": _("first come, first served"), "priority": _("by priority")}[word]


@register.filter
def source(word: str) -> str:
    """What made a prediction."""
    return {
        "model": _("the model"),
        "history": _("its last runs"),
        "similar": _("runs of similar jobs"),
        "type_median": _("the median of its type"),
        "default": _("default: nothing like it has run"),
    }.get(word, word)


@register.filter
def told_by(word: str) -> str:
    """What told the category of a job."""
    plain = word.removesuffix("_cached")
    words = {
        "model": _("the classifier"),
        "rules": _("word rules"),
        "llm": _("the operator's model"),
        "user": _("a person"),
    }
    told = words.get(plain, plain)
    return _("%(told)s, of the same text before") % {"told": told} if plain != word else told


@register.filter
def actor(text: str) -> str:
    """Who moved a job: "user:ada" is ada, "worker:node-7" is worker node-7."""
    kind, _, name = text.partition(":")
    return name if kind == "user" else text.replace(":", " ")


@register.filter
def plain_text(text: str) -> str:
    """What a program printed, without its commands to a terminal."""
    return CONTROL.sub("\ufffd", TERMINAL.sub("", text))


@register.filter
def error_line(error: str) -> str:
    """The line that says it: the last of a traceback without the class, else the first."""
    lines = [line for line in error.splitlines() if line.strip()] or [""]
    if not lines[0].startswith("Traceback"):
        return lines[0]
    kind, colon, text = lines[-1].partition(": ")
    return text if colon and " " not in kind else lines[-1]
