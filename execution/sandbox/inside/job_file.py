"""The file that carries a job into the jail: three parts, each after its length in 8 bytes."""

from typing import BinaryIO

_LENGTH_BYTES = 8


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
