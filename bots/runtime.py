"""What bots find installed where they run, told without importing any of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

PURPOSES = {  # by the name in requirements/bots.in
    "numpy": "arrays and arithmetic on them",
    "pandas": "the frame of candles that a bot reads",
    "pandas-ta": "technical indicators",
    "ta-lib": "technical indicators in C; pandas-ta computes with it",
    "scikit-learn": "scalers, regressions, forests and other classical learning",
    "onnxruntime": "neural networks and pipelines in ONNX, such as an LSTM from Keras or PyTorch",
    "lightgbm": "gradient-boosted trees",
    "xgboost-cpu": "gradient-boosted trees; import it as xgboost",
    "skops": "scikit-learn models in a file that is no pickle",
}


@dataclass(frozen=True, slots=True)
class Library:
    """One installed package; `purpose` is empty when it is only there for another."""

    name: str
    version: str
    purpose: str


def installed_libraries(runtime: Path) -> Sequence[Library]:
    """Return what is installed in the folder of the bots' runtime, those with a purpose first.

    Read once per process, since the folder never changes under one. Empty when the folder holds none.
    """
    try:
        return _installed(runtime / "site-packages")
    except FileNotFoundError:
        return ()


@cache
def _installed(site_packages: Path) -> tuple[Library, ...]:
    found = {
        each.name.lower().replace("_", "-"): each.version for each in distributions(path=[str(site_packages)])
    }
    if not found:
        raise FileNotFoundError(site_packages)  # is not kept: the runtime may be built later
    order = [*(name for name in PURPOSES if name in found), *sorted(found.keys() - PURPOSES.keys())]
    return tuple(Library(name, found[name], PURPOSES.get(name, "")) for name in order)
