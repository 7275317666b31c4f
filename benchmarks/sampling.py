"""How long the shipped chains take to draw a field, their seams, and wavefronts against raster.

Each time is that of one run; ratios are what lasts. The chain of a track is measured if its weights
ship. Wavefronts are timed on the paper's networks with weights as they are initialised: the order
of patches costs what it costs, whatever was learned.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from baseline.chain import CHAINS, Chain, read_chain
from baseline.data import from_network
from baseline.networks import M1Generator, M1Sizes, M2Generator, M2Sizes
from baseline.sampling import Latents, raster, upscaled_by_neighbours
from baseline.seams import seam_jump
from baseline.weights import WEIGHTS
from cubes.demo import DEMO_TRACKS, demo_fields

Field = npt.NDArray[np.float32]

PATCH = 32
LATENTS = Latents(0, "benchmark")
COUNTS = {"3d-32": 100, "3d-64": 30, "3d-256": 1}
"""Fields that are drawn of each track."""


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="threads of the CPU")
    torch.set_num_threads(parser.parse_args().threads)
    print("| track | seconds a field | at patch faces | at other faces of coarse voxels | real |")
    print("|---|---|---|---|---|")
    for track in COUNTS:
        if all((WEIGHTS / f"small-{stage}.safetensors").exists() for stage in CHAINS[track]):
            print(_row(track, read_chain(CHAINS[track], "small")))
    print()
    _time_orders("M2", M2Generator(M2Sizes()), patches=2)
    _time_orders("M1 of width 8", M1Generator(M1Sizes(width=8)), patches=4)


def _row(track: str, chain: Chain) -> str:
    """Return a track's row: cost, and mean jumps at some faces over that elsewhere."""
    chain.values([0], seed=1)
    fields: list[Field] = []
    seconds = _seconds(lambda: fields.extend(_drawn(chain, COUNTS[track])))
    cells = [f"`{track}`", f"{seconds / len(fields):.2f}"]
    factor = getattr(chain.stages[-1].stage.sizes, "factor", None)
    if factor:
        others = [
            seam_jump([np.roll(field, shift, (0, 1, 2)) for field in fields], PATCH)
            for shift in range(factor, PATCH, factor)
        ]
        cells += [f"{seam_jump(fields, PATCH):.4f}", f"{min(others):.4f} to {max(others):.4f}"]
    else:
        cells += ["no patches", ""]
    known = track in DEMO_TRACKS
    cells.append(f"{seam_jump(demo_fields(track, 'train'), PATCH // 2):.4f}" if known else "")
    return f"| {' | '.join(cells)} |"


def _drawn(chain: Chain, count: int) -> Iterator[Field]:
    for number in range(count):
        yield from from_network(chain.values([number], seed=0)[:, 0])


def _time_orders(name: str, generator: M2Generator | M1Generator, patches: int) -> None:
    """Time the two orders of patches on one field."""
    coarse = torch.randn(1, 1, 32, 32, 32)
    by_wavefront = _seconds(
        lambda: upscaled_by_neighbours(generator, coarse, LATENTS, [0], patches=patches)
    )
    by_raster = _seconds(
        lambda: upscaled_by_neighbours(
            generator, coarse, LATENTS, [0], patches=patches, order=raster(patches), batch=1
        )
    )
    print(
        f"{name}: {patches**3} patches, raster over wavefronts {by_raster / by_wavefront:.2f} "
        f"({by_raster:.1f} s over {by_wavefront:.1f} s)"
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
