"""Libraries that take long to import, loaded before a bot's process is forked when its code names them."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from bot_sdk.model_files import MODEL_ENDINGS, ModelFile

# With what is mostly used of each. All leave one thread.
PRELOADS = {
    "joblib": ("joblib",),
    "lightgbm": ("lightgbm",),
    "onnxruntime": ("onnxruntime",),
    "pandas_ta": ("pandas_ta",),
    "scipy": ("scipy.signal", "scipy.stats"),
    "sklearn": ("sklearn.ensemble", "sklearn.linear_model", "sklearn.pipeline", "sklearn.preprocessing"),
    "skops": ("skops.io",),
    "talib": ("talib",),
    "xgboost": ("xgboost",),
}
_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.MULTILINE)

Preload = tuple[str, ...]


def needs(code: str, models: Sequence[ModelFile]) -> Preload:
    """Return which libraries to load before the bot is run. A wrong guess costs time and nothing else."""
    endings = [MODEL_ENDINGS.get(PurePosixPath(model.filename).suffix) for model in models]
    for_models = {module.partition(".")[0] for ending in endings if ending for module in ending.libraries}
    return tuple(sorted(PRELOADS.keys() & for_models.union(_IMPORT.findall(code))))


def modules_of(preload: Preload) -> tuple[str, ...]:
    """Return the modules to import for these libraries."""
    return tuple(module for name in preload for module in PRELOADS[name])
