"""What the pages about jobs say, and how their lists link to themselves."""

import re
from typing import Any
from urllib.parse import urlencode

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.templatetags.dashboard import span

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
        return f"{share:.1f} times as long"
    return (
        "as predicted" if 0.95 <= share <= 1.05 else f"{abs(share - 1) * 100:.0f} % {'longer' if share > 1 else 'less'}"
    )


@register.filter
def shift(value: float) -> str:
    """A move in the order: plus is later."""
    return f"{'plus' if value >= 0 else 'minus'} {span(abs(value))}"


@register.filter
def policy(word: str) -> str:
    """How a queue is ordered."""
    return {"learned": "short first", "fifo": "first come, first served", "priority": "by priority"}[word]


@register.filter
def source(word: str) -> str:
    """What made a prediction."""
    return {
        "model": "the model",
        "history": "its last runs",
        "similar": "runs of similar jobs",
        "type_median": "the median of its type",
        "default": "default: nothing like it has run",
    }.get(word, word)


@register.filter
def told_by(word: str) -> str:
    """What told the category of a job."""
    plain = word.removesuffix("_cached")
    words = {"model": "the classifier", "rules": "word rules", "llm": "the operator's model", "user": "a person"}
    return words.get(plain, plain) + (", of the same text before" if plain != word else "")


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
