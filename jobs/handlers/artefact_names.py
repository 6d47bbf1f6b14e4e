"""What an artefact may be called, and what it may be said to be: so that it is a harmless file name everywhere."""

import re
import unicodedata

NAME = r"[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,118}[A-Za-z0-9)]|[A-Za-z0-9]"
FILE_NAME = re.compile(NAME)
# Windows opens a device for these, whatever follows the dot.
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])( *\..*)?", re.IGNORECASE)
CONTENT_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+(; charset=[a-z0-9-]+)?", re.IGNORECASE)
MAX_TYPE_CHARACTERS = 100
UNKNOWN_TYPE = "application/octet-stream"
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9 ._()+-]+")


def name_fault(name: str) -> str | None:
    """What is wrong with it, as a sentence; None for a name that may be used."""
    if not FILE_NAME.fullmatch(name):
        return (
            "At most 120 letters, digits, blanks and ._()+- of ASCII, which begins with a letter or digit "
            "and ends with one or with )."
        )
    return "Windows has a device of this name." if DEVICE.fullmatch(name) else None


def check_name(name: str, content_type: str) -> None:
    """Raises ValueError."""
    if name_fault(name):
        raise ValueError(f"{name!r:.80} is no name for an artefact: letters, digits and ._()+- only")
    if not CONTENT_TYPE.fullmatch(content_type) or len(content_type) > MAX_TYPE_CHARACTERS:
        raise ValueError(f"{content_type!r:.80} is no content type")


def tidied(name: str) -> str:
    """A name that may be used, as near as can be to what a browser or a server calls its file."""
    plain = unicodedata.normalize("NFKD", name.replace("\\", "/").rpartition("/")[2])
    plain = NOT_IN_A_NAME.sub("-", plain.encode("ascii", "ignore").decode())[-120:]
    plain = plain.lstrip(" ._()+-").rstrip(" ._(+-")
    return plain if plain and name_fault(plain) is None else "file"


def known_type(content_type: str | None) -> str:
    """What a sender or a server says that it is, without its parameters, where that can be kept."""
    plain = (content_type or "").partition(";")[0].strip().lower()
    return plain if CONTENT_TYPE.fullmatch(plain) and len(plain) <= MAX_TYPE_CHARACTERS else UNKNOWN_TYPE
