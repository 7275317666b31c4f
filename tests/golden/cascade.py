"""Integer multiplicative cascades: fields that are the same, bit for bit, on every platform.

A field of side 2^L starts from one fixed-point number and is refined L times: every cell splits in
two along each axis, and each child is multiplied by an integer drawn from a table of mean 16 and
divided by 16. Only integer arithmetic and the stream of PCG64 are used.
"""

import numpy as np

_FRACTION_BITS = 20


def cascade(side, ndim, seed, table, mean):
    """Return one field of particle counts, shape (side,) * ndim, uint32."""
    rng = np.random.default_rng(seed)
    factors = np.asarray(table, np.uint64)
    field = np.full((1,) * ndim, mean << _FRACTION_BITS, np.uint64)
    for _ in range(int(side).bit_length() - 1):
        for axis in range(ndim):
            field = np.repeat(field, 2, axis=axis)
        drawn = rng.integers(0, len(factors), size=field.shape, dtype=np.uint8)
        field = (field * factors[drawn]) >> np.uint64(4)
    field >>= np.uint64(_FRACTION_BITS)
    for axis in range(ndim):
        field = np.roll(field, int(rng.integers(0, side)), axis=axis)
    return field.astype(np.uint32)


def cascade_set(count, side, ndim, seed, table):
    """Yield fields one at a time; each has a mean of 56 to 72 of its own."""
    for i in range(count):
        mean = 64 + int(np.random.default_rng((seed, i, 1)).integers(-8, 9))
        yield cascade(side, ndim, (seed, i), table, mean)
