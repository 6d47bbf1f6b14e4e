"""Which part of an image goes into which size: arithmetic only."""

from collections.abc import Mapping
from typing import Any, NamedTuple

FITS = ("contain", "cover", "stretch")
Size = tuple[int, int]


class Plan(NamedTuple):
    """The part that is taken, as left, top, right, bottom, and the size it gets."""

    part: tuple[float, float, float, float]
    size: Size


def planned(source: Size, wanted: Mapping[str, Any], fit: str, *, never_enlarge: bool) -> Plan:
    """`wanted` has width, height, both or neither; what it leaves out follows from the source's shape."""
    width, height = wanted.get("width"), wanted.get("height")
    whole = (0.0, 0.0, float(source[0]), float(source[1]))
    if width is None and height is None:
        return Plan(whole, source)
    if fit == "stretch":
        size = (width or source[0], height or source[1])
        return Plan(whole, smaller(size, source) if never_enlarge else size)
    if fit == "contain" or width is None or height is None:
        return Plan(whole, contained(source, width, height, never_enlarge=never_enlarge))
    return covered(source, (width, height), never_enlarge=never_enlarge)


def contained(source: Size, width: int | None, height: int | None, *, never_enlarge: bool) -> Size:
    """The largest size of the source's shape within the box."""
    scales = [wanted / has for wanted, has in zip((width, height), source, strict=True) if wanted is not None]
    scale = min(*scales, 1.0) if never_enlarge else min(scales)
    return scaled(source, scale)


def covered(source: Size, wanted: Size, *, never_enlarge: bool) -> Plan:
    """The middle of the source, cut so that it fills the box."""
    scale = max(wanted[0] / source[0], wanted[1] / source[1])
    if never_enlarge:
        scale = min(scale, 1.0)
    size = smaller(wanted, scaled(source, scale))
    taken = [min(size[axis] / scale, source[axis]) for axis in (0, 1)]
    left, top = ((source[axis] - taken[axis]) / 2 for axis in (0, 1))
    return Plan((left, top, left + taken[0], top + taken[1]), size)


def scaled(source: Size, scale: float) -> Size:
    return max(round(source[0] * scale), 1), max(round(source[1] * scale), 1)


def smaller(one: Size, other: Size) -> Size:
    return min(one[0], other[0]), min(one[1], other[1])
