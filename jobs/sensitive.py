"""Names that say that their values are nobody's business."""

import re
from functools import lru_cache

# Of a name in lower case, without what is no letter or digit.
SENSITIVE = re.compile(
    r"password|passwd|passphrase|pwd$|secret|authorization|^auth$|apikey|accesskey|privatekey|credential|cookie"
    r"|token$|sessionid$"
)
NAME_CHARACTERS = 64


def is_sensitive(name: str) -> bool:
    return _is_sensitive(name[-NAME_CHARACTERS:])


@lru_cache(maxsize=4_096)
def _is_sensitive(name: str) -> bool:
    return SENSITIVE.search(re.sub(r"[^a-z0-9]", "", name.lower())) is not None
