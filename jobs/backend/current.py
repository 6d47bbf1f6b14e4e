"""The organisation that tasks are enqueued for, and results looked up in, where the code says so itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orgs.models import Org

chosen: ContextVar["Org | str"] = ContextVar("jobs.backend.current", default="")


@contextmanager
def using_org(org: "Org | str") -> Iterator[None]:
    """Within it, tasks are jobs of this organisation (or slug), instead of the one in OPTIONS."""
    token = chosen.set(org)
    try:
        yield
    finally:
        chosen.reset(token)
