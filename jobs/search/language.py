"""What may be written into the search box: words, "texts in quotes", and conditions on payloads and results.

    timeout "no such file" payload.user.plan:pro result.count:>5

A word is looked for in name, title, description and error. `payload.` and `result.` are followed by the names on the
way to a value, a colon, and the value: a number matches numbers, true, false and null themselves, and what is neither,
or in quotes, texts. parse() and str() are each other's opposite. docs/search.md is written for people.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from jobs.secret_arguments import is_secret_somewhere
from jobs.sensitive import is_sensitive

MOST_TERMS = 10
MOST_STEPS = 20
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
# As many digits as anybody types; jsonpath reads no number of a million.
NUMBER_CHARACTERS = 40
QUOTED = r'"(?:[^"\\]|\\.)*"'
STEP = rf'(?:{QUOTED}|[^\s".:]+)'
PATH = re.compile(rf"(payload|result)((?:\.{STEP})+):(>=|<=|>|<)?({QUOTED}(?=\s|$)|[^\s\"]\S*)?")
TEXT = re.compile(rf"{QUOTED}(?=\s|$)")
PLAIN_STEP = re.compile(r'[^\s".:\\]+')
# A word that is written without quotes: it is read as it stands.
PLAIN_WORD = re.compile(r'[^\s"]\S*')
WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}

Value = str | bool | Decimal | None


class NotUnderstood(ValueError):
    """What was written is no search; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Text:
    """This stands somewhere in the job's own texts."""

    text: str

    def __str__(self) -> str:
        plain = PLAIN_WORD.fullmatch(self.text) and not PATH.match(self.text)
        return self.text if plain else quoted(self.text)


@dataclass(frozen=True, slots=True)
class Member:
    """A value in the payload or the result: equal to this, or greater or less than it."""

    root: str
    path: tuple[str, ...]
    operator: str
    value: Value

    def __str__(self) -> str:
        steps = (step if PLAIN_STEP.fullmatch(step) else quoted(step) for step in self.path)
        return f"{self.root}.{'.'.join(steps)}:{self.operator}{self.written()}"

    def written(self) -> str:
        match self.value:
            case str() as text:
                plain = PLAIN_WORD.fullmatch(text) and text[0] not in "<>" and read_plain(text) == text
                return text if plain else quoted(text)
            case Decimal() as number:
                return shortest(number)
            case value:
                return json.dumps(value)


Term = Text | Member


@dataclass(frozen=True, slots=True)
class Search:
    """All of these must hold."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    @property
    def texts(self) -> list[str]:
        return [term.text for term in self.terms if isinstance(term, Text)]

    @property
    def members(self) -> list[Member]:
        return [term for term in self.terms if isinstance(term, Member)]


def parse(written: str) -> Search:
    """Raises NotUnderstood."""
    terms: list[Term] = []
    place = 0
    while place < len(written):
        if written[place].isspace():
            place += 1
            continue
        if len(terms) == MOST_TERMS:
            raise NotUnderstood(_("At most %(most)d words and conditions.") % {"most": MOST_TERMS})
        term, place = read_term(written, place)
        if term not in terms:
            terms.append(term)
    return Search(tuple(terms))


def read_term(written: str, place: int) -> tuple[Term, int]:
    """The one that begins here, and where it ends."""
    if found := PATH.match(written, place):
        return read_member(*found.groups()), found.end()
    if (found := TEXT.match(written, place)) and (text := unquoted(found[0])).strip():
        return Text(text), found.end()
    # a quotation mark that is not closed is one
    found = re.compile(r"\S+").match(written, place)
    assert found
    return Text(found[0]), found.end()


def read_member(root: str, steps: str, operator: str | None, value: str | None) -> Member:
    path = tuple(unquoted(step) if step[0] == '"' else step for step in re.findall(STEP, steps))
    where = f"{root}{steps}"
    if len(path) > MOST_STEPS:
        raise NotUnderstood(_("%(where)s… has more than %(most)d steps.") % {"where": where[:40], "most": MOST_STEPS})
    if any(map(is_sensitive, path)) or (root == "payload" and is_secret_somewhere(path)):
        raise NotUnderstood(_("%(where)s is hidden: nothing is found by it.") % {"where": where})
    if value is None:
        raise NotUnderstood(_("Say which value: %(where)s:5, or a text.") % {"where": where})
    read = unquoted(value) if value[0] == '"' else read_plain(value)
    if operator and not isinstance(read, Decimal):
        raise NotUnderstood(_("After %(operator)s stands a number.") % {"operator": operator})
    return Member(root, path, operator or "", read)


def read_plain(text: str) -> Value:
    if text in WORDS:
        return WORDS[text]
    if NUMBER.fullmatch(text) and len(text) <= NUMBER_CHARACTERS:
        try:
            return Decimal(text)
        except InvalidOperation:
            return text
    return text


def shortest(number: Decimal) -> str:
    """As a JSON number."""
    return str(number).replace("E+", "e").replace("E", "e")


def quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
