"""Open the model files that come with a bot, by the ending of their names.

The platform does this in the bot's confined process, a developer on their own machine, both with this module:
a pickle runs code as it is opened, so open only your own. No library is imported before a file needs it.
"""

import importlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from bot_sdk.text import printable

if TYPE_CHECKING:  # web processes show the table of endings and have no use for numpy
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

_LONGEST_REASON = 200  # characters
_TELEMETRY_OFF = ("ORT_DISABLE_TELEMETRY", "1")
_ERRORS_ONLY = 3  # onnxruntime's severity, which leaves out warnings
_ONNX_TYPES = {
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
_TO_ONNX = {
    **dict.fromkeys((".h5", ".hdf5", ".keras"), 'in Keras: model.export("model.onnx", format="onnx")'),
    **dict.fromkeys((".pb", ".tflite"), "with the package tf2onnx"),
    **dict.fromkeys((".pt", ".pth"), 'in PyTorch: torch.onnx.export(model, example, "model.onnx")'),
}


class ModelFileError(ValueError):
    """A model file that cannot be used; the message says what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file that a bot brings beside its code; `kind` is MODEL, WEIGHTS or CONFIG."""

    kind: str
    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ModelEnding:
    """What opens the files of one ending, and what the bot gets of them.

    `libraries` are modules: the first opens the file, the others are what it usually holds. Importing them
    before a file is opened saves that time later. `begins` are the bytes, some of which begin each file.
    """

    libraries: tuple[str, ...]
    gives: str
    begins: tuple[bytes, ...]
    open: Callable[[bytes], object]


class OnnxModel:
    """A network or pipeline in ONNX, computed on one thread.

    `session` is the onnxruntime session, for models with several inputs or outputs.
    """

    def __init__(self, content: bytes) -> None:
        onnxruntime = _onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        self.session: Any = onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )

    def predict(self, features: "ArrayLike") -> "NDArray[Any]":
        """Return the first output for `features`, numbers of the one input's shape and of any type.

        Raises ModelFileError for a model with several inputs.
        """
        import numpy as np  # noqa: PLC0415

        inputs = self.session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(each.name for each in inputs)
            raise ModelFileError(
                f"predict() needs a model with one input, this one has {len(inputs)} ({names}): "
                "call session.run(None, {name: array, …})."
            )
        array = np.asarray(features, dtype=_ONNX_TYPES.get(inputs[0].type))
        return np.asarray(self.session.run(None, {inputs[0].name: array})[0])


def load_model(filename: str, content: bytes) -> object:
    """Return what the file holds; `MODEL_ENDINGS` says by its ending what that is.

    Raises ModelFileError as `ending_of` does, when its library is not installed, and when the library cannot
    open the content.
    """
    ending = ending_of(filename, content)
    try:
        return ending.open(content)
    except (MemoryError, ModelFileError):
        raise
    except Exception as error:
        raise ModelFileError(
            f"{filename} cannot be opened: {_reason(error)}. "
            f"Expected {ending.gives}; save it again, with the versions of the bots' runtime."
        ) from error


def ending_of(filename: str, content: bytes) -> ModelEnding:
    """Return what opens the file, which is not opened here.

    Raises ModelFileError when the ending is none of MODEL_ENDINGS, and when the content is empty or begins
    otherwise than files of that ending do.
    """
    name = PurePosixPath(filename).suffix.lower()
    if name not in MODEL_ENDINGS:
        raise ModelFileError(
            f"{filename}: expected a file ending in {', '.join(MODEL_ENDINGS)}. {_advice(name)}"
        )
    ending = MODEL_ENDINGS[name]
    if not content:
        raise ModelFileError(f"{filename} is empty. Expected {ending.gives}; upload it again.")
    if not content.startswith(ending.begins):
        raise ModelFileError(
            f"{filename} does not begin as files ending in {name} do. Expected {ending.gives}; give it the "
            "ending of what it is."
        )
    return ending


def named(files: Sequence[ModelFile]) -> dict[str, object]:
    """Open the files and return what a bot reads as `config["models"]`.

    Each model stands under its file's stem in upper case ("scaler.pkl" is SCALER) and, when it is the only
    file of its kind, under that kind (MODEL, WEIGHTS, CONFIG). Raises ModelFileError for a file that cannot
    be opened and for two files with one name.
    """
    kinds = Counter(file.kind for file in files)
    models: dict[str, object] = {}
    owners: dict[str, ModelFile] = {}
    for file in files:
        model = load_model(file.filename, file.content)
        names = {PurePosixPath(file.filename).stem.upper()}
        if kinds[file.kind] == 1:
            names.add(file.kind)
        for name in names:
            if name in owners:
                raise ModelFileError(
                    f"{owners[name].filename} and {file.filename} would both be {name} for the bot: "
                    "rename one of them."
                )
            models[name], owners[name] = model, file
    return models


def _open_skops(content: bytes) -> object:
    skops = _library("skops.io")
    return skops.loads(content, trusted=skops.get_untrusted_types(data=content))


def _open_pickle(content: bytes) -> object:
    return _library("joblib").load(io.BytesIO(content))


def _open_lightgbm(content: bytes) -> object:
    text = content.decode()
    # LightGBM can end the whole process over a text that is no model.
    if "\nend of trees\n" not in text:
        raise ValueError("`end of trees` is missing")
    booster = _library("lightgbm").Booster(model_str=text)
    # The number of threads is an argument of each prediction, not of the model.
    booster.predict = partial(booster.predict, num_threads=1)
    return booster


def _open_xgboost(content: bytes) -> object:
    booster = _library("xgboost").Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    return booster


def _open_json(content: bytes) -> object:
    value = json.loads(content)
    is_of_xgboost = isinstance(value, dict) and {"learner", "version"} <= value.keys()
    return _open_xgboost(content.lstrip()) if is_of_xgboost else value


def _open_numpy(content: bytes) -> "np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]]":
    found = _library("numpy").load(io.BytesIO(content), allow_pickle=False)
    # Of an archive numpy reads each array when it is asked for; here a broken one has to show at once.
    return dict(found) if isinstance(found, Mapping) else found


def _onnxruntime() -> Any:
    # Otherwise its import starts a thread that reports each session to the maker.
    os.environ.setdefault(*_TELEMETRY_OFF)
    return _library("onnxruntime")


def _library(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        name = module.partition(".")[0]
        raise ModelFileError(
            f"This file needs {name}, which cannot be imported ({_reason(error)}): "
            "install it with the package's extra, `bot-sdk[models]`."
        ) from error


def _advice(ending: str) -> str:
    how = _TO_ONNX.get(ending)
    return (
        f"Convert the model to ONNX ({how}) and use that file." if how else "Save the model as one of these."
    )


def _reason(error: Exception) -> str:
    """Return the first line of what the library says, without the traces that some of them add."""
    lines = printable(str(error).strip().partition("\n")[0]).strip().rstrip(".")
    return lines[:_LONGEST_REASON] or type(error).__name__


_ZIP = (b"PK\x03\x04",)
_PICKLE = (
    *(bytes([0x80, protocol]) for protocol in (2, 3, 4, 5)),
    *(b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"),  # as joblib compresses
)
_JSON = tuple(bytes([each]) for each in b' \t\r\n{["-0123456789tfn')
_XGBOOST = (b"{",)  # of both its formats; XGBoost can end the whole process over other content

MODEL_ENDINGS: Mapping[str, ModelEnding] = {
    ".onnx": ModelEnding(("onnxruntime",), "a model in ONNX", (b"\x08",), OnnxModel),
    ".skops": ModelEnding(("skops.io", "sklearn"), "a scikit-learn object saved by skops", _ZIP, _open_skops),
    ".pkl": ModelEnding(
        ("joblib", "sklearn"), "an object pickled by pickle or joblib", _PICKLE, _open_pickle
    ),
    ".joblib": ModelEnding(("joblib", "sklearn"), "an object dumped by joblib", _PICKLE, _open_pickle),
    ".txt": ModelEnding(("lightgbm",), "a Booster of LightGBM", (b"tree\n",), _open_lightgbm),
    ".ubj": ModelEnding(("xgboost",), "a Booster of XGBoost", _XGBOOST, _open_xgboost),
    ".json": ModelEnding(("json",), "the values in it, or a Booster of XGBoost", _JSON, _open_json),
    ".npy": ModelEnding(("numpy",), "an array of numbers from numpy", (b"\x93NUMPY",), _open_numpy),
    ".npz": ModelEnding(("numpy",), "arrays of numbers by name from numpy", _ZIP, _open_numpy),
}
