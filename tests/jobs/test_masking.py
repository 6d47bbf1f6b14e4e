"""Values are found in the forms they take, whole or cut, and nothing else is touched."""

import base64
import html
import json
import re
import sys
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.masking import MASK, Covered, Mask, activate, deactivate, hidden

VALUE = 'p@ss/w+rd="q"&<x>\\é€'
FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value,
    "json": json.dumps,
    "json, not ascii": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps(json.dumps(value)),
    "repr": repr,
    "repr of a dict": lambda value: repr({"a": value}),
    "html": html.escape,
    "percent": quote,
    "percent, slashes too": lambda value: quote(value, safe=""),
    "percent, lower case": lambda value: re.sub("%..", lambda found: found[0].lower(), quote(value, safe="")),
    "plus": quote_plus,
    "form": lambda value: urlencode({"key": value}),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 behind one": lambda value: base64.b64encode(b"u" + value.encode()).decode(),
    "basic": lambda value: base64.b64encode(b"me:" + value.encode() + b"!").decode(),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(b">>?" + value.encode()).decode(),
    "hexadecimal": lambda value: value.encode().hex(),
    "HEXADECIMAL": lambda value: value.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_found_in_every_form_it_usually_takes(form: str) -> None:
    text = f"before {FORMS[form](VALUE)} after"

    masked = Mask([VALUE]).text(text)

    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert MASK in masked
    assert "ss/w" not in masked
    # at most the characters of base64 that depend on what stands around it are left
    assert len(masked) <= len("before  after") + len(MASK) + 18


def test_a_text_without_any_is_the_same_object() -> None:
    text = "nothing to see here\n" * 100
    assert Mask([VALUE]).text(text) is text


@pytest.mark.parametrize("text", ["abcdefghij", "xabcdefghijx", "abcdefghij" * 3, "abcdefghijabcdefg"])
def test_values_that_overlap_leave_nothing_of_either(text: str) -> None:
    masked = Mask(["abcdefg", "efghij"]).text(text)
    assert not set(masked) & set("abcdefghij")


@pytest.mark.parametrize("cut", range(8, 20))
def test_a_part_at_the_edge_of_a_line_counts(cut: int) -> None:
    value = "s3cr3t-0123456789-abc"
    mask = Mask([value])

    assert mask.text(f"kept {value[:cut]}\n… 17 bytes left out …\n") == f"kept {MASK}\n… 17 bytes left out …\n"
    assert mask.text(f"left out\n{value[-cut:]} and on") == f"left out\n{MASK} and on"
    # in the middle of a line it was not cut
    assert mask.text(f"kept {value[:8]} here") == f"kept {value[:8]} here"


def test_each_line_of_a_value_counts() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"
    mask = Mask([key])

    assert mask.text(key) == MASK
    assert mask.text("  hkiG9w0BAQEFAASC\r") == f"  {MASK}\r"
    assert mask.text(json.dumps({"key": key})) == json.dumps({"key": MASK}, ensure_ascii=False)


def test_json_is_looked_through_with_its_keys_and_numbers() -> None:
    mask = Mask(["hunter2", "123456"])
    value = {"hunter2": ["a hunter2", 123456, 7, 1.5, True, None, {"deep": "x123456x"}], "ok": 9123456.0}

    assert mask.json(value) == {
        MASK: [f"a {MASK}", MASK, 7, 1.5, True, None, {"deep": f"x{MASK}x"}],
        "ok": MASK,
    }


def test_what_is_too_short_to_be_hidden_is_not_looked_for() -> None:
    assert Mask(["abc", ""]).text("abc abc") == "abc abc"


@given(st.text(min_size=4, max_size=40), st.text(max_size=40), st.text(max_size=40))
@example("aaaa", "a", "aaa")
@example("••••", "•", "")
def test_it_is_never_left_whole(value: str, before: str, after: str) -> None:
    if value in MASK * 40 or any(0xD800 <= ord(character) < 0xE000 for character in value + before + after):
        return
    masked = Mask([value]).text(before + value + after)
    # unless the mask itself completes it again
    assert value not in masked.replace(MASK, "\0")


def test_a_megabyte_of_a_hostile_text_takes_no_time() -> None:
    began = time.process_time()
    Mask(["a" * 8_000]).text("a" * 7_999 + "b" + "a" * 500_000 + "\n" + "a" * 7_000)
    Mask(["ab" * 500]).text(("ab" * 499 + "\n") * 300)
    assert time.process_time() - began < 20


def test_this_process_hides_them_while_they_are_active() -> None:
    first, second = Mask(["hunter2"]), Mask(["swordfish"])
    activate(first)
    activate(second)
    try:
        assert hidden("hunter2, swordfish") == f"{MASK}, {MASK}"
        deactivate(first)
        assert hidden("hunter2, swordfish") == f"hunter2, {MASK}"
    finally:
        deactivate(first)
        deactivate(second)
    assert hidden("hunter2, swordfish") == "hunter2, swordfish"


def test_a_covered_stream_hides_them_too(capsys: pytest.CaptureFixture[str]) -> None:
    mask = Mask(["hunter2"])
    activate(mask)
    try:
        print("it is hunter2", file=Covered(sys.stdout))  # type: ignore[arg-type]
        Covered(sys.stderr).writelines(["hunter2\n", "bye\n"])
    finally:
        deactivate(mask)
    out, err = capsys.readouterr()
    assert (out, err) == (f"it is {MASK}\n", f"{MASK}\nbye\n")
