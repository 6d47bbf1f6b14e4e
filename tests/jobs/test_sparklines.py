"""A picture in a row: what is drawn, and that it is nothing but numbers."""

import re

from jobs.templatetags.sparklines import HEIGHT, MOST_BINS, sparkline


def test_the_highest_fills_the_row_and_the_least_is_seen() -> None:
    found = str(sparkline([0, 1000, 1, 500]))

    assert 'aria-hidden="true"' in found
    assert re.findall(r"M(\d+) 20v-([\d.]+)", found) == [("1", str(HEIGHT)), ("2", "1"), ("3", "10")]
    assert "style" not in found


def test_of_nothing_there_is_no_picture() -> None:
    assert sparkline([]) == sparkline([0, 0]) == sparkline([-1]) == ""


def test_of_many_the_last_are_shown() -> None:
    found = str(sparkline([9] * 500 + [1] * MOST_BINS))

    assert f'viewBox="0 0 {MOST_BINS} {HEIGHT}"' in found
    assert len(re.findall("M", found)) == MOST_BINS
