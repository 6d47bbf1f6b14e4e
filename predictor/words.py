"""Names as rows of a hashed table: the same in every process, and a name never seen has a row too."""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any

BUCKETS = 1024  # rows of the hashed embedding (Weinberger et al. 2009, https://arxiv.org/abs/0902.2206)
WORDS = 5
SLOTS = 3 + WORDS  # type, user, whole name, and the first of its words


@lru_cache(maxsize=8192)
def slots(type: str, name: str, user: str) -> tuple[int, ...]:
    """Embedding rows (SLOTS,) of the type, the user, the name and its first words, 0 where there is none."""
    # All numbers are one word: what counts up says nothing.
    words = ["0" if word.isdigit() else word for word in re.findall(r"[^\W_]+", str(name).lower())[:WORDS]]
    tokens = [("type", type), ("user", user), ("name", name), *(("word", word) for word in words)]
    rows = [1 + stable_hash(*token) % (BUCKETS - 1) for token in tokens]
    return tuple(rows + [0] * (SLOTS - len(rows)))


def stable_hash(*parts: Any) -> int:
    """64 bits of BLAKE2b over the parts: the same in every process, unlike hash()."""
    # backslashreplace: a lone surrogate in a name must not stop a submit.
    text = "\x00".join(map(str, parts)).encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
