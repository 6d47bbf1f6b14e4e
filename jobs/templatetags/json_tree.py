"""A JSON value as a tree that folds, and bars: what the page of a job is drawn with."""

import json
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.templatetags.job_words import plain_text

register = template.Library()

# Of one tree; beyond it, and in longer texts, the raw value says the rest.
MOST_NODES = 400
OPEN_DEPTH = 2
TEXT_CHARACTERS = 300


class Budget:
    """How many nodes may still be drawn."""

    def __init__(self) -> None:
        self.left = MOST_NODES

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


@register.simple_tag
def json_tree(value: Any) -> SafeString:
    """Objects and lists fold; numbers are exact, however big."""
    if not isinstance(value, dict | list):
        return leaf(value)
    return branch(value, Budget(), 0)


def branch(value: dict[str, Any] | list[Any], budget: Budget, depth: int) -> SafeString:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    rows: list[SafeString] = []
    for name, member in members:
        if not budget.take():
            rows.append(format_html('<li class="muted">{}</li>', _("… the rest is in the raw value")))
            break
        rows.append(node(str(name), member, budget, depth))
    return format_html('<ul class="tree">{}</ul>', mark_safe("".join(rows)))  # noqa: S308 - each was escaped


def node(name: str, value: Any, budget: Budget, depth: int) -> SafeString:
    label = format_html('<span class="tree-name">{}</span>', plain_text(name))
    if not isinstance(value, dict | list) or not value:
        return format_html("<li>{}: {}</li>", label, leaf(value))
    opened = mark_safe(" open") if depth + 1 < OPEN_DEPTH else ""
    return format_html(
        '<li><details class="fold"{}><summary>{} <span class="muted small">{}</span></summary>{}</details></li>',
        opened,
        label,
        sized(value),
        branch(value, budget, depth + 1),
    )


def sized(value: dict[str, Any] | list[Any]) -> str:
    if isinstance(value, dict):
        return ngettext("%(count)d field", "%(count)d fields", len(value)) % {"count": len(value)}
    return ngettext("%(count)d item", "%(count)d items", len(value)) % {"count": len(value)}


def leaf(value: Any) -> SafeString:
    kind = "text" if isinstance(value, str) else "value"
    text = plain_text(json.dumps(value, ensure_ascii=False))
    if len(text) <= TEXT_CHARACTERS:
        return format_html('<code class="tree-{}">{}</code>', kind, text)
    more = ngettext("%(count)d more character", "%(count)d more characters", len(text) - TEXT_CHARACTERS)
    return format_html(
        '<code class="tree-{}">{}…</code> <span class="muted small">{}</span>',
        kind,
        text[:TEXT_CHARACTERS],
        more % {"count": len(text) - TEXT_CHARACTERS},
    )


@register.simple_tag
def bar(left: float, width: float, css: str = "") -> SafeString:
    """A piece of a line of a hundred. The number it shows stands beside it."""
    return format_html(
        '<svg class="job-bar {}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bar-all" width="100" height="8" rx="1"></rect>'
        '<rect class="bar-part" x="{}" width="{}" height="8" rx="1"></rect></svg>',
        css,
        f"{left:.2f}",
        f"{max(width, 0.5):.2f}",
    )


@register.simple_tag
def share_bar(share: float) -> SafeString:
    """Of a whole, from its beginning."""
    return bar(0, 100 * min(max(share, 0.0), 1.0))


@register.filter
def changes(detail: dict[str, Any]) -> SafeString:
    """What an audit entry says was before and is after, field by field."""
    old, new = detail.get("old"), detail.get("new")
    if not isinstance(old, dict) or not isinstance(new, dict):
        pairs = [("", old, new)] if old is not None or new is not None else []
    else:
        pairs = [(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]
    return format_html_join(
        mark_safe("<br>"),
        "{}{} → {}",
        ((f"{name}: " if name else "", shown(before), shown(after)) for name, before, after in pairs),
    )


def shown(value: Any) -> str:
    """Short: the entry itself is on the audit page."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plain_text(text if len(text) <= 80 else f"{text[:80]}…") if value not in (None, "") else "–"
