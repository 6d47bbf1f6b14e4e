"""Fields of payloads whose names say, or whose task says, that their values are nobody's business: they are kept, used,
and not shown."""

import re
from collections.abc import Container, Mapping
from typing import Any

from jobs.handlers.schemas import Fault
from jobs.masking import MASK
from jobs.references import REFERENCE, texts
from jobs.secret_arguments import NONE, same_task, secret_arguments
from jobs.sensitive import NAME_CHARACTERS, is_sensitive

MOST_NAMES = 10_000
_harmless: set[str] = set()
SHOWN = f"{MASK} stands for a value that is not shown: give the value, or refer to a secret by {{{{secret:name}}}}."
# An authorization names its scheme first.
SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]{0,15} +)?(.*)", re.DOTALL)


def hide(value: Any, secret: Container[str] = NONE) -> Any:
    """A JSON value as it is shown. `secret`: names of its fields that are hidden too."""
    if isinstance(value, dict):
        arguments = secret_arguments(value)
        return {
            name: covered(inner)
            if is_sensitive(name) or name in secret
            else hide(inner, arguments if name == "kwargs" else NONE)
            for name, inner in value.items()
        }
    return [hide(inner) for inner in value] if isinstance(value, list) else value


def covered(value: Any) -> Any:
    """What stands under such a name: its shape is shown, and references to secrets are, which tell nothing."""
    match value:
        case dict():
            return {name: covered(inner) for name, inner in value.items()}
        case list():
            return [covered(inner) for inner in value]
        case bool() | None | "":
            return value
        case str() if REFERENCE.fullmatch(own_part(value)):
            return value
    return MASK


def own_part(text: str) -> str:
    found = SCHEME.fullmatch(text)
    return found[1] if found else text


def restore(sent: Any, kept: Any, *, covered: bool = False, secret: Container[str] = NONE) -> Any:
    """What was sent by somebody who was shown hide(kept): where he sent the mask back, the value that was kept.

    A list of another length is another list: its places mean nothing. Nor does an argument of another task.
    """
    if isinstance(sent, dict) and isinstance(kept, dict):
        arguments = secret_arguments(kept) if same_task(sent, kept) else NONE
        return {
            name: restore(
                inner,
                kept[name],
                covered=covered or is_sensitive(name) or name in secret,
                secret=arguments if name == "kwargs" else NONE,
            )
            if name in kept
            else inner
            for name, inner in sent.items()
        }
    if isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        return [restore(*pair, covered=covered) for pair in zip(sent, kept, strict=True)]
    return kept if covered and sent == MASK and not isinstance(kept, dict | list) else sent


def mask_faults(payload: Mapping[str, Any]) -> list[Fault]:
    """Masks that were sent as values: what they stand for is not known here."""
    secret = secret_arguments(payload)
    return [(pointer, SHOWN) for pointer, value in texts(payload) if value == MASK and is_hidden(pointer, secret)]


def is_hidden(pointer: str, secret: Container[str]) -> bool:
    steps = pointer.split("/")[1:]
    return any(map(is_sensitive, steps)) or (steps[0] == "kwargs" and len(steps) > 1 and steps[1] in secret)


def hidden_values(value: Any) -> list[str]:
    """The texts that hide() does not show of a payload."""
    found: list[str] = []
    # one attempt after the other asks this: the names of most payloads are known
    if len(_harmless) > MOST_NAMES:
        _harmless.clear()
    collect(value, found)
    secret = secret_arguments(value) if type(value) is dict else NONE
    if secret is not NONE and type(value["kwargs"]) is dict:
        for name, inner in value["kwargs"].items():
            if name in secret:
                for _, text in texts(inner):
                    found += {text, own_part(text)}
    return found


def collect(value: Any, found: list[str]) -> None:
    # type() is asked, not isinstance(): JSON has no others, and it takes half the time
    if type(value) is dict:
        for name, inner in value.items():
            if name not in _harmless and told_by(name):
                for _, text in texts(inner):
                    found += {text, own_part(text)}
            elif type(inner) is dict or type(inner) is list:
                collect(inner, found)
    elif type(value) is list:
        for inner in value:
            if type(inner) is dict or type(inner) is list:
                collect(inner, found)


def told_by(name: str) -> bool:
    """is_sensitive(), with the names that are not noted where that is asked first."""
    if is_sensitive(name):
        return True
    if len(name) <= NAME_CHARACTERS:
        _harmless.add(name)
    return False
