"""What organisations and people may be called."""

import re
from collections.abc import Iterator
from secrets import token_hex

from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from orgs.models import User
from orgs.removed_names import check_never_removed

NAME_MIN, NAME_MAX = 2, 80
# Control characters, line separators, and marks that turn the direction of what follows: none is part of a name,
# and each can make a log line or a page say something else.
DECEIVING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Names that would pass for the platform itself.
RESERVED = frozenset({"admin", "administrator", "anonymous", "api", "me", "root", "smartqueue", "support", "system"})


def check_printable(name: str) -> None:
    if DECEIVING.search(name):
        raise ValidationError(_("Control characters are not allowed."), code="unprintable")


def check_username_free(username: str) -> None:
    """Raise ValidationError for a reserved or taken name. The database has the last word on taken ones."""
    if username.lower() in RESERVED:
        raise ValidationError(_("This username is reserved."), code="reserved")
    if User.objects.named(username).exists():
        raise ValidationError(_("This username is taken."), code="unique")
    check_never_removed(username)


def slugs(name: str) -> Iterator[str]:
    """Slugs for a name, best first; after a few plain ones, ones that hardly can be taken."""
    base = slugify(name)[:32].replace("_", "-").strip("-") or "org"
    yield base
    yield from (f"{base}-{number}" for number in range(2, 5))
    yield from (f"{base}-{token_hex(3)}" for _ in range(5))
