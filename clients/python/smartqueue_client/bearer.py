"""Who is calling: a key or token that stays, or a session whose tokens are renewed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Renew = Callable[[str], dict[str, Any]]


class Bearer:
    """A key of the organisation, or an access token for as long as it holds."""

    def __init__(self, token: str) -> None:
        self.token = token

    def renewed(self, refused: str, renew: Renew) -> bool:
        """Whether there is another token than the one that was refused; `renew` trades a refresh token."""
        return False


class Session(Bearer):
    """The two tokens of a login. A refresh token is good once: threads take turns."""

    def __init__(self, access: str, refresh: str) -> None:
        super().__init__(access)
        self.refresh = refresh
        self._turn = threading.Lock()

    def renewed(self, refused: str, renew: Renew) -> bool:
        with self._turn:
            if self.token == refused:
                tokens = renew(self.refresh)
                self.token, self.refresh = tokens["access"], tokens["refresh"]
        return True
