"""What is sealed can be read by its keys only, and only where it belongs."""

import base64

import pytest
from pytest_django.fixtures import Settings

from orgs.crypto import Unsealable, current_key_id, key_id_of, seal, unseal

KEYS = {"new": b"n" * 32, "old": b"o" * 32}


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = KEYS


def test_what_was_sealed_is_read_again_and_does_not_show() -> None:
    sealed = seal(b"hunter2", about="org 1")

    assert b"hunter2" not in base64.b64decode(sealed.rsplit(".", 1)[1])
    assert unseal(sealed, about="org 1") == b"hunter2"
    assert seal(b"hunter2", about="org 1") != sealed


def test_the_first_key_seals_and_the_old_one_still_reads(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = {"old": KEYS["old"]}
    sealed = seal(b"hunter2", about="org 1")
    settings.ENCRYPTION_KEYS = KEYS

    assert (key_id_of(sealed), current_key_id()) == ("old", "new")
    assert unseal(sealed, about="org 1") == b"hunter2"

    settings.ENCRYPTION_KEYS = {"new": KEYS["new"]}
    with pytest.raises(Unsealable):
        unseal(sealed, about="org 1")


def test_it_is_read_nowhere_else() -> None:
    with pytest.raises(Unsealable):
        unseal(seal(b"hunter2", about="org 1"), about="org 2")


@pytest.mark.parametrize("place", range(0, 44, 5))
def test_any_byte_that_was_altered_is_noticed(place: int) -> None:
    head, _, box = seal(b"hunter2", about="org 1").rpartition(".")
    altered = bytearray(base64.b64decode(box))
    altered[place % len(altered)] ^= 1

    with pytest.raises(Unsealable):
        unseal(f"{head}.{base64.b64encode(altered).decode()}", about="org 1")


@pytest.mark.parametrize("text", ["", "hunter2", "v1.new", "v1.new.", "v1.new.%%%", "v2.new.AAAA", "v1..AAAA"])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(Unsealable):
        unseal(text, about="org 1")
