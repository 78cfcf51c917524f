"""The file that carries a job into the process: parts, each after its length in 8 bytes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from bot_sdk.model_files import ModelFile

_LENGTH_BYTES = 8


class Order(NamedTuple):
    """A job as the process reads it; `head` says of which kind it is, and is JSON."""

    head: Mapping[str, Any]
    frame: bytes
    models: Sequence[ModelFile]
    code: bytes

    def packed(self) -> bytes:
        """Return it as one file, in which the code is what is read last."""
        head = {**self.head, "models": [(model.kind, model.filename) for model in self.models]}
        contents = (model.content for model in self.models)
        return pack(json.dumps(head).encode(), self.frame, *contents, self.code)


def read_order(file: BinaryIO) -> Order:
    """Return what was packed into the file."""
    head = json.loads(read_part(file))
    frame = read_part(file)
    models = [ModelFile(kind, name, read_part(file)) for kind, name in head["models"]]
    return Order(head, frame, models, read_part(file))


def pack(*parts: bytes) -> bytes:
    """Return the parts as one file."""
    return b"".join(len(part).to_bytes(_LENGTH_BYTES) + part for part in parts)


def read_part(file: BinaryIO) -> bytes:
    """Return the next part of the file. Raises EOFError when the file ends within it."""
    length = int.from_bytes(file.read(_LENGTH_BYTES))
    part = file.read(length)
    if len(part) != length:
        raise EOFError(f"The job file ends early: expected {length} more bytes, found {len(part)}.")
    return part


def bytes_of(code: str) -> bytes:
    """Return a bot's code as bytes.

    A lone surrogate is no UTF-8: the process refuses it as it refuses any code that is not text.
    """
    return code.encode(errors="surrogatepass")
