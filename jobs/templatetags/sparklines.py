"""A small picture of numbers in a row of a table, drawn by the server."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

HEIGHT = 20
MOST_BINS = 60


@register.simple_tag
def sparkline(values: Sequence[float]) -> SafeString | str:
    """A column a value, of more than MOST_BINS the last. It says nothing to a screen reader: words stand beside it."""
    shown = [max(value, 0) for value in values][-MOST_BINS:]
    highest = max(shown, default=0)
    if not highest:
        return ""
    # what is not nothing is seen
    heights = [max(value / highest * HEIGHT, 1) if value else 0 for value in shown]
    columns = "".join(
        f"M{place} {HEIGHT}v-{height:.3g}h.8v{height:.3g}z" for place, height in enumerate(heights) if height
    )
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true"><path d="{}"/></svg>',
        len(shown),
        HEIGHT,
        columns,
    )
