"""Errors that say the same have one fingerprint; those that do not have not."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.fingerprints import FRAMES, marked, normal, normal_line

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/releases/{release}/orders.py", line {line}, in load
    row = find(number)
  File "/srv/app/releases/{release}/tables.py", line 12, in find
    raise LookupError(f"no order {{number}}")
LookupError: no order {number}
"""


@given(st.integers(), st.integers(), st.integers(min_value=1), st.integers(min_value=1))
def test_numbers_do_not_tell_errors_apart(one: int, other: int, line: int, release: int) -> None:
    texts = [TRACEBACK.format(release=release, line=line, number=number) for number in (one, other)]

    assert marked("LookupError", texts[0]) == marked("LookupError", texts[1])
    assert normal(texts[0]).startswith("orders.py:load tables.py:find LookupError: no order")


@given(
    st.uuids(),
    st.uuids(),
    st.emails(),
    st.text(st.characters(exclude_characters="'\\\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")),
)
def test_ids_addresses_and_quoted_values_do_not(one: UUID, other: UUID, address: str, quoted: str) -> None:
    patterns = {
        normal(f"job {one} of a@example.com: 'x' is no key"),
        normal(f"job {other} of a@example.com: '{quoted[:50]}' is no key"),
    }

    assert patterns == {"job * of * is no key"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ValueError", "no row 5"), ("KeyError", "no row 5")),
        (("ValueError", "no row 5"), ("ValueError", "no column 5")),
        (("ValueError", TRACEBACK), ("ValueError", TRACEBACK.replace("in find", "in look"))),
        (("", ""), ("", "x")),
    ],
)
def test_what_says_otherwise_is_another(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert marked(*one).fingerprint != marked(*other).fingerprint


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("/srv/data/2026-11-30/orders.csv: no such file", "/srv/data/*/orders.csv: no such file"),
        ("GET https://example.com/orders/17/lines?x=9 gave 503", "GET https://example.com/orders/*/lines?x=* gave *"),
        ("at 0x7f1122334455 in worker-7", "at * in worker-*"),
        ("values 1, 2, 3 and 4", "values * and *"),
        ("  two\n  lines  ", "two lines"),
        ("", ""),
    ],
)
def test_patterns_keep_what_people_read(text: str, pattern: str) -> None:
    assert normal(text) == pattern


@given(st.text(max_size=80) | st.text(alphabet="ab1'\"/ *-.:@", max_size=60))
def test_a_pattern_is_its_own_pattern(text: str) -> None:
    assert normal_line(normal_line(text)) == normal_line(text)


@given(st.text(max_size=2_000), st.text(max_size=200))
def test_every_error_has_one_of_sixteen_digits(error: str, error_type: str) -> None:
    found = marked(error_type, error)

    assert len(found.fingerprint) == 16
    assert found == marked(error_type, error)
    assert FRAMES > 0
