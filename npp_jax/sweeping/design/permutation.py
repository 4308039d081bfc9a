"""Random permutations that are computed entry by entry and never stored."""

import math

import numpy as np
from jaxtyping import Int64, UInt64

ROUNDS = 8
"""Number of keys of one permutation."""


def permute(index: Int64[np.ndarray, " point"], size: int, keys: UInt64[np.ndarray, " round"]) -> np.ndarray:
    """Where some entries go in a random permutation of 0 … size - 1.

    A Feistel network over residues permutes the a·b numbers i = r + b·l, l < a, r < b, where a ≈ b ≈ √size: each
    of l and r in turn is shifted by a hash of the other. The few entries that land at `size` or beyond are sent through
    again until they land below (cycle walking). J. Black and P. Rogaway, CT-RSA 2002, sections 4 and 5.

    Parameters
    ----------
    index
        Entries, each below `size`.
    size
        Length of the permutation.
    keys
        `ROUNDS` random 64-bit numbers: which permutation.

    Returns
    -------
    Array of int64, shape [point].
    """
    a = math.isqrt(size - 1) + 1
    b = -(-size // a)
    place = _feistel(index.astype(np.uint64), keys, a, b)
    outside = np.flatnonzero(place >= size)
    while outside.size:
        again = _feistel(place[outside], keys, a, b)
        place[outside] = again
        outside = outside[again >= size]
    return place.astype(np.int64)


def _feistel(value: np.ndarray, keys: np.ndarray, a: int, b: int) -> np.ndarray:
    """Permutation of 0 … a·b - 1, all in uint64."""
    left, right = np.divmod(value, np.uint64(b))
    for to_left, to_right in keys.reshape(-1, 2):
        left = (left + _mixed(right ^ to_left)) % np.uint64(a)
        right = (right + _mixed(left ^ to_right)) % np.uint64(b)
    return left * np.uint64(b) + right


def _mixed(value: np.ndarray) -> np.ndarray:
    """Hash of 64 to 63 bits: finaliser of SplitMix64 (variant 13 of D. Stafford), shifted so that a sum cannot wrap."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (value ^ (value >> np.uint64(31))) >> np.uint64(1)
