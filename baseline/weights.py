"""Weights as they are kept: one safetensors file a stage, with what is known about them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from baseline.calibration import Calibration
from baseline.stages import STAGES, Stage
from baseline.tensors import TensorFileError, load_prefixed, prefixed, read_tensors, write_tensors

WEIGHTS = Path(__file__).parent / "weights"
"""Where the shipped weights are, as `<configuration>-<stage>.safetensors`."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A trained stage.

    Attributes:
        stage: What was trained.
        generator: Its generator.
        calibration: What its samples pass through, if anything.
        description: Iteration, hash of the training cubes, scores reached and the like.
    """

    stage: Stage
    generator: nn.Module
    calibration: Calibration | None
    description: dict[str, Any]


def write_weights(path: Path, weights: Weights) -> None:
    """Write a trained stage."""
    stage = weights.stage
    tensors = prefixed("generator", weights.generator)
    if weights.calibration is not None:
        tensors |= prefixed("calibration", weights.calibration)
    about = {
        "configuration": stage.configuration,
        "stage": stage.name,
        "sizes": asdict(stage.sizes),
    }
    write_tensors(path, tensors, about | weights.description)


def read_weights(path: Path) -> Weights:
    """Read a trained stage.

    Raises:
        TensorFileError: There is no such file, or it holds no stage that this version knows.
    """
    tensors, description = read_tensors(path)
    known = (description.get("configuration"), description.get("stage"))
    if known not in STAGES:
        raise TensorFileError(f"{path} holds {known}, which is no stage of this version.")
    stage = STAGES[known]
    if description.get("sizes") != asdict(stage.sizes):
        raise TensorFileError(
            f"{path} is of sizes {description.get('sizes')}, but this version's are "
            f"{asdict(stage.sizes)}: train the stage again."
        )
    generator = stage.generator().requires_grad_(False).eval()
    load_prefixed("generator", generator, tensors)
    calibration = None
    if stage.passes is not None:
        calibration = Calibration(stage.side)
        load_prefixed("calibration", calibration, tensors)
    return Weights(stage, generator, calibration, description)
