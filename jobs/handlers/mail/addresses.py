"""Addresses of e-mail as payloads write them: plain, or as Name <address>."""

import re
from email.errors import HeaderParseError
from email.utils import parseaddr
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.encoding import punycode

WITH_NAME = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<address>[^<>]*)>\s*")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MAX_ADDRESS, MAX_NAME = 254, 100
# No host is taken without a look at it.
is_address = EmailValidator(allowlist=[])


class BadAddress(ValueError):
    """Nothing that a message can be sent to; the message says why."""


class Address(NamedTuple):
    """A name, or none, and an address in ASCII."""

    name: str
    address: str


def parsed(text: str) -> Address:
    """Raises BadAddress."""
    if CONTROL.search(text):
        raise BadAddress("An address has no line breaks or control characters.")
    match = WITH_NAME.fullmatch(text)
    name, address = (match["name"], match["address"]) if match else ("", text)
    name = name[1:-1].replace('\\"', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name
    if len(name) > MAX_NAME:
        raise BadAddress(f"A name has at most {MAX_NAME} characters.")
    return Address(name, checked(address.strip()))


def checked(address: str) -> str:
    """With its domain in ASCII."""
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        raise BadAddress("Before the @ only ASCII characters can be sent to; the domain may have others.")
    if not domain.isprintable():
        raise BadAddress("This is not an e-mail address.")
    # a quoted part may hide anything; an address literal names a host past all that mail servers know of it
    if '"' in local or "[" in domain:
        raise BadAddress("Quotes and bare IP addresses are not taken.")
    try:
        is_address(address)
        ascii_address = f"{local}@{punycode(domain)}"
        is_address(ascii_address)
    except (ValidationError, UnicodeError):
        raise BadAddress("This is not an e-mail address.") from None
    if len(ascii_address) > MAX_ADDRESS:
        raise BadAddress(f"An address has at most {MAX_ADDRESS} characters.")
    return ascii_address


def operators(text: str) -> Address:
    """The from-address that the operator set; its host may be one of his own network."""
    try:
        name, address = parseaddr(text)
    except HeaderParseError:
        name, address = "", ""
    if CONTROL.search(text) or "@" not in address or not address.isascii():
        raise BadAddress("The address that mail of your organisation is sent from is not set up right.")
    return Address(name, address)
