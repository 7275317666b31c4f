"""The paper's figures 5 to 12, remade from trained stages and training cubes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from torch import Tensor

from baseline.chain import CHAINS, Chain, read_chain
from baseline.data import from_network
from baseline.neighbours import shrunk
from baseline.weights import WEIGHTS
from scoring import set_statistics
from scoring.figures import plot_slices, plot_statistics

_NAMES = ("training", "generated")
_SLICES = {32: 16, 64: 4, 256: 2}  # of a kind, as in the paper's figures
_FIGURES = {"m3": (5, 6), "m2": (7, 8), "m1": (9, 10)}
_WHOLE_CHAIN = (11, 12)


def paper_figures(
    configuration: str,
    track: str,
    cubes: Callable[[int], Tensor],
    count: int,
    seed: int,
    folder: Path = WEIGHTS,
) -> Iterator[tuple[str, Figure]]:
    """Make figures 5 to 12 as far as there are weights, by name.

    Figures 5 and 6 show M3; 7 and 8 M2, and 9 and 10 M1, each on real coarse fields; 11 and 12 the
    longest chain that there are weights for.

    Args:
        configuration: `small` or `paper`.
        track: The 3D track whose stages are shown.
        cubes: Gives the training cubes of a side, in network values.
        count: Fields to draw for the statistics, no more than there are training cubes.
        seed: The sampling seed.
        folder: Where the weights are.
    """
    trained: list[str] = []
    for stage in CHAINS[track]:
        if not (folder / f"{configuration}-{stage}.safetensors").exists():
            break
        trained.append(stage)
        alone = read_chain([stage], configuration, folder)
        yield from _pair(_FIGURES[stage], alone, cubes, count, seed)
    if len(trained) > 1:
        whole = read_chain(trained, configuration, folder)
        yield from _pair(_WHOLE_CHAIN, whole, cubes, count, seed)


def _pair(
    numbers: tuple[int, int],
    chain: Chain,
    cubes: Callable[[int], Tensor],
    count: int,
    seed: int,
) -> Iterator[tuple[str, Figure]]:
    """Make one figure of slices and one of statistics."""
    real = cubes(chain.stages[-1].stage.side)
    factor = getattr(chain.stages[0].stage.sizes, "factor", None)
    slices: list[npt.NDArray[np.float32]] = []
    shown = _SLICES[real.shape[-1]]

    def fields() -> Iterator[npt.NDArray[np.float32]]:
        for number in range(min(count, len(real))):
            start = shrunk(real[None, number, None], factor) if factor else None
            field = from_network(chain.values([number], seed, start=start)[0, 0])
            if number < shown:
                slices.append(field)
            yield field

    fake = set_statistics(fields())
    statistics = plot_statistics(
        set_statistics(from_network(cube) for cube in real), fake, names=_NAMES
    )
    real_slices = [from_network(cube) for cube in real[:shown]]
    yield f"figure-{numbers[0]:02d}", plot_slices(real_slices, slices, names=_NAMES)
    yield f"figure-{numbers[1]:02d}", statistics
