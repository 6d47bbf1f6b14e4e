"""Names of people whose accounts were removed: known again wherever they stand, and shown nowhere.

The audit trail is never changed, and jobs keep their histories: there the names stay. What is shown of both goes
through here. A name is known by its digest, under a key that is sealed like organisations' secrets; all names of a page
are asked for in one question.
"""

import hmac
import re
from collections.abc import Callable, Iterable
from hashlib import sha256
from secrets import token_bytes
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from orgs.crypto import Unsealable, seal, unseal
from orgs.models import AuditEntry, NameKey, RemovedName, User

Row = TypeVar("Row")
KEY_BYTES = 32
RESERVED = re.compile(r"removed-[0-9]", re.IGNORECASE)
STAND_IN = re.compile(r"removed(?: user |-)([0-9]{1,18})", re.ASCII)
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{2,31}"
# An address is looked at as a whole, so that a name is not found in somebody else's.
ADDRESS = r"[^\s@\"'<>,;:()\[\]\\/]{1,64}@[A-Za-z0-9.-]{1,253}"
ADDRESSES, WORDS = re.compile(ADDRESS), re.compile(rf"{ADDRESS}|{NAME}")
# Where a name stands in text of ours: who moved a job, and the path of a call.
ACTORS = re.compile(rf"(?<![\w:])(user:)({NAME})(?![A-Za-z0-9_-])")
PATHS = re.compile(rf"(/(?:members|users)/)({NAME})(?=/)")
# Acts on people, by the beginning of their name; and details that hold names.
ON_PEOPLE = ("auth.", "member.", "invitation.", "user.")
OF_ADMIN = re.compile(r"(user )(.+)", re.DOTALL)
# What stands before the actor where he is told of.
BY = "by "
NAMING = frozenset({"actor", "creator", "filter", "user", "username"})

# What a word is replaced by; the second says that it is a part of something, where a username has to stand.
Say = Callable[[str, bool], str]


class NamesUnreadable(APIException):
    """Whose names must not be shown cannot be known, so nothing that may hold them is."""

    status_code = 503
    default_code = "names_unreadable"
    default_detail = "Which names are removed people's cannot be read: their key's is not among ENCRYPTION_KEYS."


# --- Digests --------------------------------------------------------------------------------------------------------


def key() -> bytes | None:
    """None while nobody has been removed. Raises NamesUnreadable."""
    sealed = NameKey.objects.values_list("sealed", flat=True).first()
    if sealed is None:
        return None
    try:
        return unseal(sealed, about=NameKey.ABOUT)
    except Unsealable as error:
        raise NamesUnreadable from error


def made_key() -> bytes:
    """The key, made if there is none."""
    if key() is None:
        sealed = seal(token_bytes(KEY_BYTES), about=NameKey.ABOUT)
        NameKey.objects.bulk_create([NameKey(sealed=sealed)], ignore_conflicts=True)
    made = key()
    assert made
    return made


def digest(word: str, under: bytes) -> bytes:
    return hmac.digest(under, word.lower().encode(errors="replace"), sha256)


def keep(words: Iterable[str], user: User) -> None:
    """Nobody is to be called so again, and nothing that says so is shown."""
    under = made_key()
    rows = {digest(word, under): RemovedName(digest=digest(word, under), user=user) for word in words if word}
    RemovedName.objects.bulk_create(rows.values(), ignore_conflicts=True)


def known(words: Iterable[str], user_ids: Iterable[int] = ()) -> "Known":
    """Of these words, and of these people, who was removed: two questions, whatever their number."""
    by_word, ids = {word.lower() for word in words if word}, set(user_ids)
    under = key() if by_word or ids else None
    if under is None:
        return Known({}, {})
    digests = {digest(word, under): word for word in by_word}
    rows = RemovedName.objects.filter(Q(digest__in=list(digests)) | Q(user__in=ids))
    found = [(bytes(kept), pk, name) for kept, pk, name in rows.values_list("digest", "user_id", "user__username")]
    return Known(
        {digests[kept]: (pk, name) for kept, pk, name in found if kept in digests},
        {pk: name for _, pk, name in found},
    )


class Known:
    """By a word in small letters, and by a person's id: what he is called now."""

    def __init__(self, words: dict[str, tuple[int, str]], people: dict[int, str]) -> None:
        self.words, self.people = words, people

    def say(self, word: str, within: bool) -> str:
        if word.lower() not in self.words:
            return word
        user_id, name = self.words[word.lower()]
        return name if within else stand_in(user_id)


def stand_in(user_id: int) -> str:
    return f"removed user {user_id}"


def check_never_removed(username: str) -> None:
    """Raise ValidationError for what a removed person is, or was, called."""
    if RESERVED.match(username):
        raise ValidationError(_("This username is reserved."), code="reserved")
    if known([username]).words:
        raise ValidationError(_("This username is taken."), code="unique")


# --- What is shown --------------------------------------------------------------------------------------------------


def hide_in_entries(entries: list[AuditEntry]) -> list[AuditEntry]:
    """The same entries, not to be saved, with what stands for the names and addresses of removed people."""
    words: set[str] = set()

    def noted(word: str, within: bool) -> str:
        words.add(word)
        return word

    for entry in entries:
        retold(entry, noted)
    found = known(words, {entry.actor_id for entry in entries if entry.actor_id})
    if found.words or found.people:
        for entry in entries:
            entry.target, entry.detail = retold(entry, found.say)
            if entry.actor_id in found.people:
                entry.actor_name = stand_in(entry.actor_id)
    return entries


def retold(entry: AuditEntry, say: Say) -> tuple[str, Any]:
    """Target and detail. Names are looked for where names stand: a queue may be called as a person was."""
    if entry.action.startswith(ON_PEOPLE):
        target = words_in(entry.target, say)
    elif entry.action.startswith("admin.") and (found := OF_ADMIN.fullmatch(entry.target)):
        target = found[1] + words_in(found[2], say)
    else:
        target = text(entry.target, say)
    return target, inside(entry.detail, say)


def inside(value: Any, say: Say, of: str = "") -> Any:
    if isinstance(value, str):
        return words_in(value, say) if of in NAMING else text(value, say)
    if isinstance(value, list):
        return [inside(one, say, of) for one in value]
    if isinstance(value, dict):
        return {name: inside(one, say, of if of in NAMING else name) for name, one in value.items()}
    return value


def words_in(value: str, say: Say) -> str:
    """Text that names a person: each word of it may be his name."""
    whole = say(value.strip(), False)
    return whole if whole != value.strip() else text(WORDS.sub(lambda found: say(found[0], False), value), say)


def text(value: str, say: Say) -> str:
    """Any text: addresses, and names where ours say that they are names."""
    if "@" in value:
        whole = say(value.strip(), False)
        value = whole if whole != value.strip() else ADDRESSES.sub(lambda found: say(found[0], False), value)
    # most text is an id, of which an entry may have thousands
    for mark, place in (("user:", ACTORS), ("/", PATHS)):
        if mark in value:
            value = place.sub(lambda found: found[1] + say(found[2], True), value)
    return value


def hide_actors(values: Iterable[str]) -> dict[str, str]:
    """Of each "user:ada" among these what is to be shown, where she was removed."""
    actors = {value for value in values if value.startswith("user:")}
    found = known(actor.removeprefix("user:") for actor in actors)
    said = {actor: "user:" + found.say(actor.removeprefix("user:"), True) for actor in actors}
    return {actor: shown for actor, shown in said.items() if shown != actor}


def hide_by(values: Iterable[str]) -> dict[str, str]:
    """The same where "by " may stand before it: "by user:ada"."""
    actors = {value: value.removeprefix(BY) for value in values}
    said = hide_actors(actors.values())
    return {value: value.removesuffix(actor) + said[actor] for value, actor in actors.items() if actor in said}


def without_actors(rows: Iterable[Row], field: str) -> list[Row]:
    """The same rows, not to be saved, with what stands for removed people in the field that says who did it."""
    found = list(rows)
    said = hide_actors(getattr(row, field) for row in found)
    for row in found:
        setattr(row, field, said.get(getattr(row, field), getattr(row, field)))
    return found


# --- What is asked for ----------------------------------------------------------------------------------------------


def acted_by(name: str) -> Q:
    """Entries by an actor's name: a removed person's is nobody's, and what stands for it is his."""
    if found := STAND_IN.fullmatch(name):
        return Q(actor_name=name) | Q(actor__in=RemovedName.objects.filter(user=int(found[1])).values("user"))
    return Q(pk__in=[]) if known([name]).words else Q(actor_name=name)


def done_to(target: str) -> Q:
    """Entries by their target, where it does not name a removed person."""
    words: set[str] = set()

    def noted(word: str, within: bool) -> str:
        words.add(word)
        return word

    text(target, noted)
    if known(words).words:
        return Q(pk__in=[])
    found = Q(target=target)
    if known([target, target.removeprefix("user ")]).words:
        for beginning in (*ON_PEOPLE, "admin."):
            found &= ~Q(action__startswith=beginning)
    return found
