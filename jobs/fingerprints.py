"""Errors that say the same: what tells one occurrence from the next is taken out, and the rest is hashed."""

import re
from hashlib import blake2b
from typing import NamedTuple

# So much of an error, and so many of the calls it came through, say what it is.
MESSAGE_CHARACTERS = 500
FRAMES = 5
FRAME = re.compile(r'^\s*File "([^"\n]*)", line \d+, in (\S+)', re.MULTILINE)
TRACEBACK = "Traceback (most recent call last)"
# In this order: what an earlier one leaves, a later one finds.
VARIABLE = [
    re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|`[^`\n]*`"),
    re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    re.compile(r"\b0x[0-9a-fA-F]+\b"),
    # a step of a path with a digit in it
    re.compile(r"(?<=/)[^\s/:,;()*?&=]*\d[^\s/:,;()*?&=]*"),
    # a word with digits: a number, a hash, a name that is counted up
    re.compile(r"(?:(?<![^\s=(\[,:])[-+])?\b\w*\d\w*\b"),
]
STAR = "*"


class Marked(NamedTuple):
    """What an error is counted under."""

    fingerprint: str
    pattern: str


def marked(error_type: str, error: str) -> Marked:
    pattern = normal(error)
    text = f"{normal_line(error_type)}\0{pattern}".encode()
    return Marked(blake2b(text, digest_size=8).hexdigest(), pattern)


def normal(error: str) -> str:
    """The error without what is of this occurrence alone. Of a traceback: its innermost calls, and its last line."""
    lines = [line for line in error.splitlines() if line.strip()]
    if not lines:
        return ""
    if TRACEBACK not in error:
        return normal_line(" ".join(lines))
    calls = [f"{path.rpartition('/')[2]}:{function}" for path, function in FRAME.findall(error)[-FRAMES:]]
    return normal_line(" ".join([*calls, lines[-1]]))


def normal_line(text: str) -> str:
    text = text[:MESSAGE_CHARACTERS]
    for pattern in VARIABLE:
        text = pattern.sub(STAR, text)
    # values side by side are as many as there happen to be
    return re.sub(r"\*(?:[\s,.:;/-]*\*)+", STAR, " ".join(text.split()))
