"""When a pause is to end, as a form says it."""

from datetime import UTC, datetime, timedelta

from django.http import QueryDict
from django.utils.translation import gettext as _

from jobs.errors import InvalidPause
from jobs.forms.fields import MOMENT_FORMATS
from jobs.queue.pause_times import Until

# Offered in the form: seconds, by the words of the choice.
SPANS = {"15m": 900, "1h": 3_600, "4h": 14_400, "1d": 86_400}


def until_of(data: QueryDict) -> Until:
    """`for` is one of SPANS, `until` a time in UTC; neither: until a person ends it. Raises InvalidPause."""
    if text := data.get("until", "").strip():
        return moment_of(text)
    if not (word := data.get("for", "")):
        return None
    if word not in SPANS:
        raise InvalidPause([("/for", _("There is no such choice."))])
    return timedelta(seconds=SPANS[word])


def moment_of(text: str) -> datetime:
    for shape in MOMENT_FORMATS:
        try:
            return datetime.strptime(text, shape).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise InvalidPause([("/until", _("A date and a time are needed."))])
