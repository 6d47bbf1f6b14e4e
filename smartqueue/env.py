"""Typed reads of the environment that fail at start, by the variable's name."""

import hashlib
import json
import os
import re
from typing import Any, NamedTuple, TypedDict
from urllib.parse import SplitResult, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def env_str(name: str, default: str) -> str:
    return os.environ.get(name, default)


def env_template(name: str, fields: set[str]) -> str:
    """An address with these in braces; empty for none."""
    template = os.environ.get(name, "")
    if not template:
        return ""
    try:
        filled = template.format(**dict.fromkeys(fields, "0"))
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        known = ", ".join(f"{{{field}}}" for field in sorted(fields))
        raise ImproperlyConfigured(f"{name}={template!r}: in braces may stand {known}") from error
    if not filled.startswith(("http://", "https://")):
        raise ImproperlyConfigured(f"{name}={template!r}: expected http(s)://…")
    return template


def env_bool(name: str, default: bool) -> bool:
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() in TRUE:
        return True
    if raw.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={raw!r}: expected 1 or 0")


def env_int(name: str, default: int, *, minimum: int = 0) -> int:
    return int(_number(name, default, minimum, int))


def env_seconds(name: str, default: float, *, minimum: float = 0.0) -> float:
    """A duration in seconds; fractions are allowed."""
    return float(_number(name, default, minimum, float))


def env_choice(name: str, default: str, choices: set[str]) -> str:
    value = os.environ.get(name, default).strip().lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: expected one of {', '.join(sorted(choices))}")
    return value


def env_list(name: str, default: str = "") -> list[str]:
    """Comma-separated words, blanks dropped."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def env_json(name: str) -> dict[str, Any]:
    """A JSON object; empty by default."""
    text = os.environ.get(name, "").strip() or "{}"
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ImproperlyConfigured(f"{name}: expected a JSON object")
    return found


def env_retries(name: str) -> dict[str, dict[str, float]]:
    """By job type: how often it is tried, and after how many seconds."""
    limits = {"max_attempts": 1.0, "base_seconds": 0.1, "cap_seconds": 0.1}
    found = env_json(name)
    for type, policy in found.items():
        if not isinstance(policy, dict) or not policy.keys() <= limits.keys():
            raise ImproperlyConfigured(f"{name}: expected {type}: an object of {', '.join(limits)}")
        for field, value in policy.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or value < limits[field]:
                raise ImproperlyConfigured(f"{name}: expected {type}.{field}: {limits[field]:g} or more")
    return found


def env_ports(name: str, default: str) -> list[int]:
    words = env_list(name, default)
    if not all(word.isascii() and word.isdigit() and 0 < int(word) < 65536 for word in words):
        raise ImproperlyConfigured(f"{name}={','.join(words)!r}: expected port numbers")
    return [int(word) for word in words]


def env_keys(name: str, default: str) -> dict[str, bytes]:
    """`id:secret` of at least 32 characters, comma-separated, as 256-bit keys by id; the order is kept."""
    keys = {}
    for word in env_list(name, default):
        key_id, _, secret = word.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id) or len(secret) < 32 or key_id in keys:
            raise ImproperlyConfigured(f"{name}: expected id:secret, secrets of 32 random characters or more")
        keys[key_id] = hashlib.sha256(secret.encode()).digest()
    if not keys:
        raise ImproperlyConfigured(f"{name} must be set to id:secret, a secret of 32 or more random characters")
    return keys


def env_rate(name: str, default: str) -> tuple[int, float, int] | None:
    """`count/seconds` or `count/seconds/burst`, all of 1 or more: (count, seconds, burst); None for `off`."""
    text = os.environ.get(name, default).strip().lower()
    if text == "off":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})(?:/([1-9][0-9]{0,8}))?", text, re.ASCII)
    if not found:
        raise ImproperlyConfigured(f"{name}={text!r}: expected count/seconds, count/seconds/burst, or off")
    count, seconds, burst = found.groups()
    return int(count), float(seconds), int(burst or count)


class Mail(NamedTuple):
    """Where mail goes: to a server, or as files into a folder."""

    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    # By STARTTLS, or from the first byte on.
    starttls: bool = False
    tls: bool = False
    folder: str = ""


MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


def env_mail(name: str, default: str) -> Mail:
    """`smtps://user:password@host:port`, smtp+tls:// (STARTTLS), smtp:// (in the clear) or file:///folder."""
    try:
        parts = urlsplit(os.environ.get(name, default))
        return mail_of(parts) if any(parts) else Mail()
    except (ValueError, KeyError):
        # the value holds a password
        raise ImproperlyConfigured(
            f"{name}: expected smtps://user:password@host:port, the same with smtp+tls:// for STARTTLS,"
            " smtp://host:port (in the clear, so without password) or file:///folder"
        ) from None


def mail_of(parts: SplitResult) -> Mail:
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return Mail(folder=unquote(parts.path))
    port = parts.port or MAIL_PORTS[parts.scheme]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    clear = parts.scheme == "smtp"
    if not parts.hostname or parts.path.strip("/") or parts.query or bool(user) != bool(password) or (clear and user):
        raise ValueError
    return Mail(parts.hostname, port, user, password, starttls=parts.scheme == "smtp+tls", tls=parts.scheme == "smtps")


class Connection(TypedDict):
    """A database of the operator's: its URL, and what jobs may do there."""

    url: str
    read: bool
    write: list[str]


def env_connections(name: str) -> dict[str, Connection]:
    """JSON: {"warehouse": {"url": "postgres://…", "read": true, "write": ["schema.table"]}}; no value is ever shown."""
    raw = os.environ.get(name, "").strip()
    try:
        found = json.loads(raw) if raw else {}
        return {key: _connection(key, value) for key, value in found.items()}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        fault = str(error) if isinstance(error, _Fault) else "no JSON object of objects, each with a url"
        raise ImproperlyConfigured(f"{name}: {fault}") from None


class _Fault(ValueError):
    """What is wrong, for the operator, without a secret."""


def _connection(key: str, value: dict[str, object]) -> Connection:
    url, read, write = value["url"], value.get("read", False), value.get("write", [])
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key):
        raise _Fault("names are of letters, digits, _ and -")
    if not isinstance(url, str) or not re.match(r"postgres(ql)?://", url):
        raise _Fault(f"{key}: url must begin with postgres://")
    tables = [each for each in write if isinstance(each, str)] if isinstance(write, list) else None
    if not isinstance(read, bool) or tables is None or len(tables) != len(write):  # type: ignore[arg-type]
        raise _Fault(f"{key}: read is true or false, write a list of tables")
    if not all(re.fullmatch(r"\w+(\.\w+)?", each) for each in tables) or set(value) - {"url", "read", "write"}:
        raise _Fault(f"{key}: expected url, read and write, and tables as table or schema.table")
    return {"url": url, "read": read, "write": tables}


def env_default(name: str, value: str) -> None:
    """Set a variable that a library reads, unless the operator did."""
    os.environ.setdefault(name, value)


def _number(name: str, default: float, minimum: float, cast: type[int] | type[float]) -> float:
    raw = os.environ.get(name)
    if raw is None:
        return default
    try:
        value = cast(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={raw!r}: expected a number") from error
    if not minimum <= value < float("inf"):
        raise ImproperlyConfigured(f"{name}={raw!r}: expected a number of at least {minimum:g}")
    return value
