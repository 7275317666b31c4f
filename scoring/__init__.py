"""The three summary statistics, their Fréchet distances and the scores.

Names are loaded when they are first used, so that a process which only reads reports loads neither
NumPy nor Numba nor FFTW.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scoring.diagnosis import Diagnosis, StatisticDiagnosis, diagnose
    from scoring.floor import floor_from_halves, floor_from_pool
    from scoring.histogram import MASS_BINS, PEAK_BINS
    from scoring.inference import (
        Comparison,
        Difference,
        LeaveOut,
        compare_submissions,
        compare_with_leader,
    )
    from scoring.power_spectrum import use_cache
    from scoring.report import SCORER_VERSION, Floor, Level, ScoreReport, StatisticScore
    from scoring.scores import compare
    from scoring.shells import wavenumbers
    from scoring.statistic_sets import STATISTICS, SetStatistics
    from scoring.statistics import (
        FieldStatistics,
        field_statistics,
        set_statistics,
        warm_up,
    )

__all__ = [
    "MASS_BINS",
    "PEAK_BINS",
    "SCORER_VERSION",
    "STATISTICS",
    "Comparison",
    "Diagnosis",
    "Difference",
    "FieldStatistics",
    "Floor",
    "LeaveOut",
    "Level",
    "ScoreReport",
    "SetStatistics",
    "StatisticDiagnosis",
    "StatisticScore",
    "compare",
    "compare_submissions",
    "compare_with_leader",
    "diagnose",
    "field_statistics",
    "floor_from_halves",
    "floor_from_pool",
    "set_statistics",
    "use_cache",
    "warm_up",
    "wavenumbers",
]

_HOMES = {
    "MASS_BINS": "histogram",
    "PEAK_BINS": "histogram",
    "SCORER_VERSION": "report",
    "STATISTICS": "statistic_sets",
    "Comparison": "inference",
    "Diagnosis": "diagnosis",
    "Difference": "inference",
    "FieldStatistics": "statistics",
    "Floor": "report",
    "LeaveOut": "inference",
    "Level": "report",
    "ScoreReport": "report",
    "SetStatistics": "statistic_sets",
    "StatisticDiagnosis": "diagnosis",
    "StatisticScore": "report",
    "compare": "scores",
    "compare_submissions": "inference",
    "compare_with_leader": "inference",
    "diagnose": "diagnosis",
    "field_statistics": "statistics",
    "floor_from_halves": "floor",
    "floor_from_pool": "floor",
    "set_statistics": "statistics",
    "use_cache": "power_spectrum",
    "warm_up": "statistics",
    "wavenumbers": "shells",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
