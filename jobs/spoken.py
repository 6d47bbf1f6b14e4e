"""Words of the code for how something is, as people read them: the one place that puts them into other languages."""

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

SPOKEN: dict[str, Promise] = {
    # jobs, and how their attempts end
    "scheduled": pgettext_lazy("state", "scheduled"),
    "queued": pgettext_lazy("state", "queued"),
    "running": pgettext_lazy("state", "running"),
    "done": pgettext_lazy("state", "done"),
    "failed": pgettext_lazy("state", "failed"),
    "cancelled": pgettext_lazy("state", "cancelled"),
    "error": pgettext_lazy("state", "error"),
    "timeout": pgettext_lazy("state", "timeout"),
    "crashed": pgettext_lazy("state", "crashed"),
    "lost": pgettext_lazy("state", "lost"),
    "released": pgettext_lazy("state", "released"),
    # organisations
    "active": pgettext_lazy("state", "active"),
    "suspended": pgettext_lazy("state", "suspended"),
    "closing": pgettext_lazy("state", "closing"),
    # processes
    "online": pgettext_lazy("state", "online"),
    "quiet": pgettext_lazy("state", "quiet"),
    "draining": pgettext_lazy("state", "draining"),
    "offline": pgettext_lazy("state", "offline"),
    "dead": pgettext_lazy("state", "dead"),
    # the model, and who leads
    "drifting": pgettext_lazy("state", "drifting"),
    "broken": pgettext_lazy("state", "broken"),
    "stale": pgettext_lazy("state", "stale"),
    "none": pgettext_lazy("state", "none"),
    # of one job in a bulk operation
    "skipped": pgettext_lazy("state", "skipped"),
}


def spoken(word: str) -> str:
    """Of a word that is not known, itself."""
    return str(SPOKEN.get(word, word))
