"""Decision trees as arrays: taken from what scikit-learn has grown, checked when they come from a file, and walked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.handlers.ml.cells import Floats
from jobs.handlers.ml.schema import MAX_DEPTH

Arrays = dict[str, npt.NDArray[Any]]
# All trees behind each other; `roots` has where each begins. A node without children has -1 for them.
NODE_BYTES = 4 + 8 + 4 + 4 + 1


def of_grown(trees: Sequence[Any]) -> Arrays:
    """Of scikit-learn's Tree objects; what is missing goes nowhere: those models are given all values."""
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    return {
        "roots": roots.astype(np.int32),
        "feature": np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int32),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "left": moved([tree.children_left for tree in trees], roots),
        "right": moved([tree.children_right for tree in trees], roots),
        "missing_left": np.zeros(sum(tree.node_count for tree in trees), dtype=np.int8),
        "value": np.concatenate([tree.value[:, 0, :] for tree in trees]),
    }


def of_boosted(rounds: Sequence[Sequence[Any]]) -> Arrays:
    """Of the trees of a HistGradientBoosting model: one for each round and output."""
    nodes = [tree.nodes for trees in rounds for tree in trees]
    roots = np.cumsum([0, *map(len, nodes)])[:-1]
    leaf = np.concatenate([some["is_leaf"] for some in nodes]).astype(bool)
    children = {
        side: moved([np.where(some["is_leaf"], -1, some[side].astype(np.int64)) for some in nodes], roots)
        for side in ("left", "right")
    }
    return {
        "roots": roots.astype(np.int32),
        "feature": np.where(leaf, 0, np.concatenate([some["feature_idx"] for some in nodes])).astype(np.int32),
        "threshold": np.where(leaf, 0.0, np.concatenate([some["num_threshold"] for some in nodes])),
        **children,
        "missing_left": np.concatenate([some["missing_go_to_left"] for some in nodes]).astype(np.int8),
        "value": np.concatenate([some["value"] for some in nodes]).reshape(-1, 1),
    }


def moved(children: Sequence[npt.NDArray[Any]], roots: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Children counted from the first node of all."""
    return np.concatenate(
        [np.where(some < 0, -1, some + root) for some, root in zip(children, roots, strict=True)]
    ).astype(np.int32)


def gains(rounds: Sequence[Sequence[Any]], width: int) -> Floats:
    """By column of the matrix what splitting on it has gained in a boosted model."""
    found = np.zeros(width)
    for trees in rounds:
        for tree in trees:
            inner = tree.nodes[tree.nodes["is_leaf"] == 0]
            np.add.at(found, inner["feature_idx"].astype(np.intp), inner["gain"])
    return found


def fault(arrays: Mapping[str, npt.NDArray[Any]], width: int) -> str | None:
    """What keeps arrays of a file, of the right shapes, from being trees; walking others might never end."""
    nodes, roots = len(arrays["feature"]), arrays["roots"]
    left, right, feature = arrays["left"], arrays["right"], arrays["feature"]
    if not len(roots) or roots[0] != 0 or (np.diff(roots) <= 0).any() or roots[-1] >= nodes:
        return "the trees' beginnings are not in order"
    if ((left < 0) != (right < 0)).any() or (feature < 0).any() or (feature >= width).any():
        return "a node has one child, or asks for a column that is not there"
    inner = np.flatnonzero(left >= 0)
    tree = np.searchsorted(roots, np.arange(nodes), side="right")
    for child in (left[inner], right[inner]):
        if (child <= inner).any() or (child >= nodes).any() or (tree[child] != tree[inner]).any():
            return "a node's child is not behind it in its tree"
    return depth_fault(roots, left, right)


def depth_fault(roots: npt.NDArray[Any], left: npt.NDArray[Any], right: npt.NDArray[Any]) -> str | None:
    seen = np.zeros(len(left), dtype=np.int8)
    level = roots
    for _ in range(MAX_DEPTH + 1):
        np.add.at(seen, level, 1)
        if (seen[level] > 1).any():
            return "two nodes have the same child"
        inner = level[left[level] >= 0]
        level = np.concatenate([left[inner], right[inner]])
        if not len(level):
            return None if seen.all() else "a node belongs to no tree"
    return f"a tree is deeper than {MAX_DEPTH}"


def walked(arrays: Mapping[str, npt.NDArray[Any]], number: int, x: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """The leaf of each row in one tree."""
    left, right, feature = arrays["left"], arrays["right"], arrays["feature"]
    threshold, missing_left = arrays["threshold"], arrays["missing_left"]
    node = np.full(len(x), arrays["roots"][number], dtype=np.intp)
    rows = np.arange(len(x))
    at = node
    while True:
        inner = left[at] >= 0
        rows, at = rows[inner], at[inner]
        if not len(rows):
            return node
        value = x[rows, feature[at]]
        to_left = (value <= threshold[at]) | (np.isnan(value) & (missing_left[at] != 0))
        at = np.where(to_left, left[at], right[at]).astype(np.intp)
        node[rows] = at


def forest(arrays: Mapping[str, npt.NDArray[Any]], x: Floats) -> Floats:
    """What the trees say on average. They compare 32-bit numbers, as they were grown."""
    narrow = x.astype(np.float32)
    total = np.zeros((len(x), arrays["value"].shape[1]))
    for number in range(len(arrays["roots"])):
        total += arrays["value"][walked(arrays, number, narrow)]
    return total / len(arrays["roots"])


def boosted(arrays: Mapping[str, npt.NDArray[Any]], x: Floats) -> Floats:
    """The sum of what the trees of each output say."""
    outputs = len(arrays["baseline"])
    total = np.tile(arrays["baseline"], (len(x), 1))
    for number in range(len(arrays["roots"])):
        total[:, number % outputs] += arrays["value"][walked(arrays, number, x), 0]
    return total
