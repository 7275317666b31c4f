"""Measure the search for copies: its cost, and how far chance matches reach.

Run as `python -m benchmarks.copies`. Every pair of the demo's 60 independent simulated fields of
64³ is correlated over all 48 symmetries and all shifts at 32³; the largest match of each pair is
what the threshold has to clear.
"""

import itertools
import time

import numpy as np

from cubes.augment import symmetries
from cubes.copies import CONVICTION, SUSPICION, find_copies, fingerprint
from cubes.correlation import TurnedField, white_spectrum
from cubes.demo import demo_fields


def main() -> None:
    """Print the cost of one submission and the distribution of chance matches."""
    train, held_out = (
        [fingerprint(field) for field in demo_fields("3d-64", part)]
        for part in ("train", "held-out")
    )
    for threads in (1, 2):
        wall, cpu = time.perf_counter(), time.process_time()
        flagged = len(find_copies(held_out, train, threads=threads))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"30 fields against 30, {threads} threads: {wall:.1f} s, {cpu:.1f} s of CPU time")
        print(f"  flagged: {flagged}")
    fields = [known.levels[0] for known in train + held_out]
    spectra = [white_spectrum(field) for field in fields]
    turned = [TurnedField(field, symmetries(3)) for field in fields]
    matches = [
        turned[i].best_match(spectra[j]).significance
        for i, j in itertools.combinations(range(len(fields)), 2)
    ]
    print(f"{len(matches)} pairs of independent fields, largest match of each, in σ of chance:")
    print(f"  {min(matches):.2f} to {max(matches):.2f}, mean {np.mean(matches):.2f}, ", end="")
    print(f"standard deviation {np.std(matches):.2f}")
    print(f"  looked at again from {SUSPICION}, flagged from {CONVICTION}")


if __name__ == "__main__":
    main()
