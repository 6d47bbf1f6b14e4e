"""Sparse matrices of fixed content, to be multiplied by many dense ones.

Rows of about equal length are padded and multiplied together, which plain array operations do fast.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

_AT_ONCE = 1 << 16  # entries multiplied together: what a processor's cache holds


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows, G of them, padded to M entries by zeros in column 0."""

    rows: Places  # (G,)
    columns: NDArray[np.int32]  # (G, M)
    values: Floats  # (G, M)


@dataclass(frozen=True, slots=True)
class Sparse:
    """A matrix of (height, width); rows without an entry stand in no block."""

    height: int
    blocks: tuple[Block, ...]

    def dot(self, dense: Floats) -> Floats:
        """The product with dense (width, K): (height, K)."""
        out = np.zeros((self.height, dense.shape[1]), np.float32)
        for block in self.blocks:
            out[block.rows] = np.matmul(block.values[:, None, :], dense.take(block.columns, axis=0))[:, 0]
        return out

    def squared(self) -> "Sparse":
        """The same with every entry squared."""
        return Sparse(self.height, tuple(replace(block, values=block.values**2) for block in self.blocks))


def sparse(height: int, rows: Places, columns: Places, values: Floats) -> Sparse:
    """The matrix of these entries (F,), in any order."""
    order = np.argsort(rows, kind="stable")
    rows, columns, values = rows[order], columns[order], values[order]
    lengths = np.bincount(rows, minlength=height)
    starts = np.cumsum(lengths) - lengths
    return Sparse(height, tuple(_block(group, starts, lengths, columns, values) for group in _groups(lengths)))


def _groups(lengths: NDArray[Any]) -> Iterator[Places]:
    """Rows that are padded together: of similar length, and not too many."""
    order = np.argsort(lengths, kind="stable")
    start = int(np.searchsorted(lengths[order], 1))
    while start < len(order):
        longest = int(1.25 * lengths[order[start]]) + 1
        end = min(int(np.searchsorted(lengths[order], longest, "right")), start + max(1, _AT_ONCE // longest))
        yield order[start:end]
        start = end


def _block(group: Places, starts: Places, lengths: NDArray[Any], columns: Places, values: Floats) -> Block:
    wide = np.arange(lengths[group].max())
    real = wide < lengths[group][:, None]
    entries = np.where(real, starts[group][:, None] + wide, 0)
    return Block(
        group,
        np.where(real, columns[entries], 0).astype(np.int32),
        np.where(real, values[entries], 0).astype(np.float32),
    )
