"""The expressions of etl jobs, read: text to a tree. Nothing of the text goes anywhere but through this tree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal as OneOf

MAX_CHARACTERS = 2_000
MAX_NODES = 200
MAX_DEPTH = 40
# What the engine's decimals hold.
MAX_DIGITS = 38
WORDS = {"and", "or", "not", "in", "is", "null", "true", "false"}
TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?(?![\w.]))
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<column>`(?:[^`]|``)+`)
    | (?P<word>[^\W\d]\w*)
    | (?P<sign><=|>=|<>|!=|==|[-+*/%=<>(),])
    )""",
    re.VERBOSE,
)
SPACE = re.compile(r"\s*")


class Misspelt(ValueError):
    """The text is no expression; the message says where and why, for people."""


@dataclass(frozen=True, slots=True)
class Constant:
    value: str | int | Decimal | float | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One or two operands; the sign is one of SIGNS, "and", "or", "not"."""

    sign: str
    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Among:
    value: "Node"
    choices: tuple["Node", ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class IsNull:
    value: "Node"
    negated: bool


Node = Constant | Column | Call | Operation | Among | IsNull
Kind = OneOf["number", "text", "column", "word", "sign", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    # Where it begins, counted from 1.
    at: int

    @property
    def shown(self) -> str:
        return f"{self.text!r:.40} at character {self.at}" if self.kind != "end" else "the end"


def parse(text: str) -> Node:
    """Raises Misspelt."""
    if len(text) > MAX_CHARACTERS:
        raise Misspelt(f"At most {MAX_CHARACTERS} characters.")
    reader = Reader(text)
    node = reader.disjunction()
    if reader.token.kind != "end":
        raise Misspelt(f"Did not expect {reader.token.shown}.")
    return node


def columns_of(node: Node) -> Iterator[str]:
    """The names that it reads."""
    match node:
        case Column(name):
            yield name
        case Call(_, parts) | Operation(_, parts):
            for part in parts:
                yield from columns_of(part)
        case Among(value, choices, _):
            for part in (value, *choices):
                yield from columns_of(part)
        case IsNull(value, _):
            yield from columns_of(value)


def calls_of(node: Node) -> Iterator[Call]:
    match node:
        case Call(_, parts):
            yield node
            for part in parts:
                yield from calls_of(part)
        case Operation(_, parts):
            for part in parts:
                yield from calls_of(part)
        case Among(value, choices, _):
            for part in (value, *choices):
                yield from calls_of(part)
        case IsNull(value, _):
            yield from calls_of(value)


def tokens(text: str) -> Iterator[Token]:
    at = 0
    while found := TOKEN.match(text, at):
        kind = found.lastgroup
        assert kind is not None
        yield Token(kind, found[kind], found.start(kind) + 1)  # type: ignore[arg-type]
        at = found.end()
    rest = SPACE.match(text, at)
    assert rest is not None
    if rest.end() != len(text):
        raise Misspelt(f"Did not expect {text[rest.end() :]!r:.20} at character {rest.end() + 1}.")
    yield Token("end", "", len(text) + 1)


class Reader:
    """One text, from left to right; a method for each strength with which operators bind, the weakest first."""

    def __init__(self, text: str) -> None:
        self.coming = tokens(text)
        self.token = next(self.coming)
        self.nodes = self.depth = 0

    def step(self) -> Token:
        token, self.token = self.token, next(self.coming, self.token)
        return token

    def take(self, *texts: str) -> str | None:
        """The token in small letters, if it is one of these words or signs."""
        text = self.token.text.lower()
        if self.token.kind in ("word", "sign") and text in texts:
            self.step()
            return text
        return None

    def need(self, text: str) -> None:
        if not self.take(text):
            raise Misspelt(f"Expected {text!r}, not {self.token.shown}.")

    def made(self, node: Node) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise Misspelt(f"More than {MAX_NODES} parts.")
        return node

    def disjunction(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Misspelt(f"Nested deeper than {MAX_DEPTH}.")
        node = self.conjunction()
        while self.take("or"):
            node = self.made(Operation("or", (node, self.conjunction())))
        self.depth -= 1
        return node

    def conjunction(self) -> Node:
        node = self.negation()
        while self.take("and"):
            node = self.made(Operation("and", (node, self.negation())))
        return node

    def negation(self) -> Node:
        count = 0
        while self.take("not"):
            count += 1
        node = self.comparison()
        return self.made(Operation("not", (node,))) if count % 2 else node

    def comparison(self) -> Node:
        node = self.sum()
        if sign := self.take("=", "==", "!=", "<>", "<", "<=", ">", ">="):
            sign = {"==": "=", "<>": "!="}.get(sign, sign)
            return self.made(Operation(sign, (node, self.sum())))
        if self.take("is"):
            negated = bool(self.take("not"))
            self.need("null")
            return self.made(IsNull(node, negated))
        negated = bool(self.take("not"))
        if self.take("in"):
            self.need("(")
            if not (choices := self.arguments()):
                raise Misspelt("'in' needs something in its brackets.")
            return self.made(Among(node, choices, negated))
        if negated:
            raise Misspelt(f"Expected 'in', not {self.token.shown}.")
        return node

    def sum(self) -> Node:
        node = self.product()
        while sign := self.take("+", "-"):
            node = self.made(Operation(sign, (node, self.product())))
        return node

    def product(self) -> Node:
        node = self.signed()
        while sign := self.take("*", "/", "%"):
            node = self.made(Operation(sign, (node, self.signed())))
        return node

    def signed(self) -> Node:
        minus = 0
        while sign := self.take("-", "+"):
            minus += sign == "-"
        node = self.single()
        return self.made(Operation("-", (node,))) if minus % 2 else node

    def single(self) -> Node:
        token = self.step()
        match token.kind:
            case "number":
                return self.made(Constant(number(token)))
            case "text" | "column":
                inner = token.text[1:-1].replace(token.text[0] * 2, token.text[0])
                return self.made(Constant(inner) if token.kind == "text" else Column(inner))
            case "word":
                return self.word(token)
        if token.text == "(":
            node = self.disjunction()
            self.need(")")
            return node
        raise Misspelt(f"Did not expect {token.shown}.")

    def word(self, token: Token) -> Node:
        word = token.text.lower()
        if word in ("true", "false", "null"):
            return self.made(Constant({"true": True, "false": False, "null": None}[word]))
        if self.token.text == "(" and (word == "if" or word not in WORDS):
            self.step()
            return self.made(Call(word, self.arguments()))
        if word in WORDS:
            raise Misspelt(f"Did not expect {token.shown}; write a column of that name in backticks.")
        return self.made(Column(token.text))

    def arguments(self) -> tuple[Node, ...]:
        """Up to the closing bracket."""
        if self.take(")"):
            return ()
        found = [self.disjunction()]
        while self.take(","):
            found.append(self.disjunction())
        self.need(")")
        return tuple(found)


def number(token: Token) -> int | Decimal | float:
    if len(re.sub(r"[eE].*|\D", "", token.text)) > MAX_DIGITS:
        raise Misspelt(f"At most {MAX_DIGITS} digits, at character {token.at}.")
    if "e" in token.text.lower():
        value = float(token.text)
        if value == float("inf"):
            raise Misspelt(f"The number at character {token.at} is too large.")
        return value
    return Decimal(token.text) if "." in token.text else int(token.text)
