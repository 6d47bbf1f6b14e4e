"""Nine light organisations beside one that floods the queue."""

import pytest

from bench.policy import floods


@pytest.mark.parametrize("shape", floods.SHAPES)
def test_each_light_organisation_is_served_about_as_well_as_alone_in_its_share(shape: str) -> None:
    assert max(floods.ratios(floods.SHAPES[shape]).values()) <= 1.5


def test_first_come_first_served_they_would_drown() -> None:
    assert min(floods.ratios(floods.SHAPES["sustained"], policy=floods.FIRST).values()) > 10
