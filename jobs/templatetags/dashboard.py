"""Small pieces every page is made of: icons, status, times, sizes and the navigation."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orgs.models import Org

register = template.Library()

# Colour and cursor commands; then whatever else would act instead of being read (not tab and line feed).
TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
THEMES = ("light", "dark", "system")


@register.simple_tag
def icon(name: str) -> SafeString:
    """A shape of the sprite. It says nothing to a screen reader: words stand beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("sprite.svg"), name
    )


@register.simple_tag
def status(state: str) -> SafeString:
    """A status by shape, word and colour."""
    return format_html('<span class="status {}">{}{}</span>', state, icon(state), state)


@register.filter
def words(text: str) -> list[str]:
    return text.split()


@register.filter
def human(word: str) -> str:
    """A word of the code as people read it: org_admin -> org admin."""
    return str(word).replace("_", " ")


@register.filter
def theme(request: HttpRequest) -> str:
    """The theme of the cookie, if it is one of ours."""
    chosen = request.COOKIES.get("theme", "") if request else ""
    return chosen if chosen in THEMES else "system"


@register.simple_tag(takes_context=True)
def theme_attribute(context: template.Context) -> SafeString | str:
    chosen = theme(context["request"]) if "request" in context else "system"
    return "" if chosen == "system" else format_html(' data-theme="{}"', chosen)


@register.simple_tag(takes_context=True)
def nav_link(context: template.Context, path: str, label: str, but_not: str = "") -> SafeString:
    """A link of the main navigation, marked when its page or one below it is shown."""
    here = context["request"].path
    below = path != "/" and here.startswith(path) and not (but_not and here.startswith(but_not))
    current = SafeString(' aria-current="page"') if below or here == path else ""
    return format_html('<a href="{}"{}>{}</a>', path, current, label)


@register.simple_tag(takes_context=True)
def organisations(context: template.Context) -> list[Org]:
    """The organisations the person may switch to."""
    user = context["request"].user
    return list(Org.objects.filter(memberships__user=user).order_by("name")) if user.is_authenticated else []


@register.simple_tag
def list_link(listing: Any, **changes: Any) -> SafeString:
    """The attributes of a link to the same list with some parameters changed; with a script only its region loads."""
    return format_html(
        'href="{0}" hx-get="{0}" hx-target="#{1}" hx-swap="morph:outerHTML" hx-sync="#{1}:replace"',
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
def thousands(value: int) -> str:
    """12 345: a thin space every three digits."""
    return f"{value:,}".replace(",", "\u202f")


@register.filter
def percent(share: float) -> str:
    return f"{share * 100:.0f} %"


@register.filter
def unlocalized(value: float) -> str:
    """A number as an attribute has it."""
    return f"{value:.4g}"


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
def source(word: str) -> str:
    """What made a prediction."""
    return {
        "model": "the model",
        "history": "its last runs",
        "type_median": "the median of its type",
        "default": "default: nothing like it has run",
    }.get(word, word)


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


@register.filter
def pretty_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def ms(value: float | None) -> str:
    """A duration given in milliseconds, as people say it."""
    return "–" if value is None else span(value / 1000)


@register.filter
def seconds(value: float | None) -> str:
    return "–" if value is None else span(value)


def span(value: float) -> str:
    """Two digits that matter: 12 ms, 1.2 s, 3 m 20 s, 2 h 5 m, 3 d 4 h."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    for limit, size, unit, part_size, part in (
        (60, 1, "s", 0, ""),
        (3600, 60, "m", 1, "s"),
        (86_400, 3600, "h", 60, "m"),
        (float("inf"), 86_400, "d", 3600, "h"),
    ):
        if whole < limit:
            rest = whole % size // part_size if part_size else 0
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    raise AssertionError("unreachable")


@register.simple_tag
def ago(moment: datetime | None) -> SafeString | str:
    """A time as "12 s ago" or "in 3 m", the exact one on hover; app.js keeps the words up to date."""
    if moment is None:
        return "–"
    passed = (timezone.now() - moment) / timedelta(seconds=1)
    text = f"{rough(passed)} ago" if passed >= 0 else f"in {rough(-passed)}"
    return format_html(
        '<time datetime="{}" title="{} UTC" data-ago>{}</time>',
        moment.isoformat(timespec="milliseconds"),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        text,
    )


@register.simple_tag
def running_for(moment: datetime | None) -> SafeString | str:
    """How long something has been going on; app.js keeps it up to date."""
    if moment is None:
        return "–"
    passed = (timezone.now() - moment) / timedelta(seconds=1)
    return format_html(
        '<time datetime="{}" data-since>{}</time>',
        moment.isoformat(timespec="milliseconds"),
        rough(max(passed, 0)),
    )


def rough(passed: float) -> str:
    """Whole numbers in one unit: 12 s, 3 m, 5 h, 2 d."""
    for limit, size, unit in ((60, 1, "s"), (3600, 60, "m"), (86_400, 3600, "h")):
        if passed < limit:
            return f"{int(passed // size)} {unit}"
    return f"{int(passed // 86_400)} d"


@register.filter
def size(value: int | None) -> str:
    """Bytes in decimal units."""
    if value is None:
        return "–"
    amount, unit = float(value), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
