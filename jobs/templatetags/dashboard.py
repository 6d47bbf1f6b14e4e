"""Small pieces every page is made of: icons, status, times, sizes and the navigation."""

import json
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from jobs.hiding import hide
from jobs.spoken import spoken
from orgs.models import Org

register = template.Library()
register.filter(spoken)

GLANCE_CHARACTERS = 120
THEMES = ("light", "dark", "system")


@register.simple_tag(name="icon")
def shape(name: str) -> SafeString:
    """A shape of the sprite. It says nothing to a screen reader: words stand beside it."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("sprite.svg"), name
    )


@register.simple_tag
def status(state: str) -> SafeString:
    """A status by shape, word and colour."""
    return format_html('<span class="status {}">{}{}</span>', state, shape(state), spoken(state))


class Undo(NamedTuple):
    """The way back of a message."""

    address: str
    # by the database's clock, in seconds since 1970
    until: str


@register.filter
def undo_of(message: Any) -> Undo | None:
    """What jobs.pages.undo has put into it."""
    match (message.extra_tags or "").split():
        case ["undo", address, until]:
            return Undo(address, until)
    return None


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


@register.filter
def themes(request: HttpRequest) -> list[tuple[str, str]]:
    """Each theme with its name for people."""
    return list(zip(THEMES, (_("light"), _("dark"), _("system")), strict=True))


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """A moment, exact, in UTC; app.js shows it by the person's own clock if he wants that."""
    if at is None:
        return "–"
    return format_html(
        '<time datetime="{}" data-at>{} UTC</time>',
        at.isoformat(timespec="milliseconds"),
        at.strftime("%Y-%m-%d %H:%M:%S"),
    )


@register.simple_tag(takes_context=True)
def theme_attribute(context: template.Context) -> SafeString | str:
    chosen = theme(context["request"]) if "request" in context else "system"
    return "" if chosen == "system" else format_html(' data-theme="{}"', chosen)


@register.simple_tag(takes_context=True)
def nav_link(context: template.Context, path: str, label: str, but_not: str = "", *, icon: str) -> SafeString:
    """A link of the main navigation, marked when its page or one below it is shown."""
    here = context["request"].path
    below = path != "/" and here.startswith(path) and not (but_not and here.startswith(but_not))
    current = SafeString(' aria-current="page"') if below or here == path else ""
    return format_html('<a href="{}"{}>{}{}</a>', path, current, shape(f"nav-{icon}"), label)


@register.simple_tag(takes_context=True)
def organisations(context: template.Context) -> list[Org]:
    """The organisations the person may switch to."""
    user = context["request"].user
    if not user.is_authenticated:
        return []
    read = user.memberships_read
    orgs = Org.objects.filter(memberships__user=user) if read is None else [one.org for one in read]
    return sorted(orgs, key=lambda org: org.name)


@register.filter
def thousands(value: int) -> str:
    """12 345: a thin space every three digits."""
    return f"{value:,}".replace(",", "\u202f")


@register.filter
def percent(share: float) -> str:
    return f"{share * 100:.0f} %"


@register.filter
def factor(log2_error: float | None) -> str:
    """A mean |log2(predicted / actual)| as people say it: off by ×1.4."""
    return "–" if log2_error is None else f"×{2**log2_error:.2f}"


@register.filter
def unlocalized(value: float) -> str:
    """A number as an attribute has it."""
    return f"{value:.4g}"


@register.filter
def hidden(payload: Any) -> Any:
    """A payload as it may be shown."""
    return hide(payload)


@register.filter
def one_line_json(value: Any) -> str:
    """The start of a JSON value, for a cell of a table."""
    return json.dumps(value, ensure_ascii=False)[:GLANCE_CHARACTERS]


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
    text = _("{time} ago").format(time=rough(passed)) if passed >= 0 else _("in {time}").format(time=rough(-passed))
    return format_html(
        '<time datetime="{}" title="{} UTC" data-ago>{}</time>',
        moment.isoformat(timespec="milliseconds"),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        text,
    )


@register.simple_tag
def due(moment: datetime | None) -> SafeString | str:
    """When something is to happen: "in 3 m", or "due" from then on; app.js keeps the words up to date."""
    if moment is None:
        return "–"
    left = (moment - timezone.now()) / timedelta(seconds=1)
    return format_html(
        '<time datetime="{}" title="{} UTC" data-due>{}</time>',
        moment.isoformat(timespec="milliseconds"),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        _("in {time}").format(time=rough(left)) if left > 0 else _("due"),
    )


@register.simple_tag
def running_for(moment: datetime | Literal[""] | None) -> SafeString | str:
    """How long something has been going on; app.js keeps it up to date. Empty where it was over when it was read."""
    if not moment:
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
