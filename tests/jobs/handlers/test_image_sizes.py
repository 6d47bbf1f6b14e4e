"""Which part of an image goes into which size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.handlers.image.sizes import FITS, Plan, planned

SIDE = st.integers(1, 20_000)
WHOLE = (0.0, 0.0, 1000.0, 500.0)


@pytest.mark.parametrize(
    ("wanted", "fit", "plan"),
    [
        ({}, "contain", Plan(WHOLE, (1000, 500))),
        ({}, "cover", Plan(WHOLE, (1000, 500))),
        ({"width": 100}, "contain", Plan(WHOLE, (100, 50))),
        ({"height": 100}, "contain", Plan(WHOLE, (200, 100))),
        ({"width": 100}, "cover", Plan(WHOLE, (100, 50))),
        ({"width": 100, "height": 100}, "contain", Plan(WHOLE, (100, 50))),
        ({"width": 100, "height": 100}, "cover", Plan((250.0, 0.0, 750.0, 500.0), (100, 100))),
        ({"width": 100, "height": 25}, "cover", Plan((0.0, 125.0, 1000.0, 375.0), (100, 25))),
        ({"width": 100, "height": 100}, "stretch", Plan(WHOLE, (100, 100))),
        ({"height": 100}, "stretch", Plan(WHOLE, (1000, 100))),
        ({"width": 1, "height": 1}, "contain", Plan(WHOLE, (1, 1))),
        # larger than it is
        ({"width": 2000}, "contain", Plan(WHOLE, (1000, 500))),
        ({"width": 2000, "height": 2000}, "contain", Plan(WHOLE, (1000, 500))),
        ({"width": 2000, "height": 100}, "stretch", Plan(WHOLE, (1000, 100))),
        ({"width": 2000, "height": 200}, "cover", Plan((0.0, 150.0, 1000.0, 350.0), (1000, 200))),
        ({"width": 2000, "height": 2000}, "cover", Plan(WHOLE, (1000, 500))),
    ],
)
def test_what_is_taken_and_how_large_it_gets(wanted: dict[str, int], fit: str, plan: Plan) -> None:
    assert planned((1000, 500), wanted, fit, never_enlarge=True) == plan


@pytest.mark.parametrize(
    ("wanted", "fit", "plan"),
    [
        ({"width": 2000}, "contain", Plan(WHOLE, (2000, 1000))),
        ({"width": 2000, "height": 3000}, "contain", Plan(WHOLE, (2000, 1000))),
        ({"width": 2000, "height": 2000}, "cover", Plan((250.0, 0.0, 750.0, 500.0), (2000, 2000))),
        ({"width": 2000, "height": 100}, "stretch", Plan(WHOLE, (2000, 100))),
    ],
)
def test_it_may_become_larger_where_that_is_wanted(wanted: dict[str, int], fit: str, plan: Plan) -> None:
    assert planned((1000, 500), wanted, fit, never_enlarge=False) == plan


@given(
    source=st.tuples(SIDE, SIDE),
    wanted=st.fixed_dictionaries({}, optional={"width": SIDE, "height": SIDE}),
    fit=st.sampled_from(FITS),
    never_enlarge=st.booleans(),
)
def test_whatever_is_asked_for(source: tuple[int, int], wanted: dict[str, int], fit: str, never_enlarge: bool) -> None:
    left, top, right, bottom = planned(source, wanted, fit, never_enlarge=never_enlarge).part
    width, height = planned(source, wanted, fit, never_enlarge=never_enlarge).size

    assert min(width, height) >= 1
    assert 0 <= left < right <= source[0] + 1e-6
    assert 0 <= top < bottom <= source[1] + 1e-6
    # rounding never leads beyond what was asked for
    assert width <= wanted.get("width", width)
    assert height <= wanted.get("height", height)
    if never_enlarge:
        assert (width, height) <= source
        assert height <= source[1]
    if fit == "contain" and min(width, height) > 100:
        assert width / height == pytest.approx(source[0] / source[1], rel=0.02)
