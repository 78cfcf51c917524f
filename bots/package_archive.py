"""A version as one zip file: bot.py and models/{model|weights|config}/{filename}.

Whatever else a zip can be is refused by its directory, before a byte of it is unpacked.
"""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

from django.core.exceptions import ValidationError

from bots.models import Artifact

MOST_ENTRIES = 64  # folders included
MOST_DIRECTORY_BYTES = 32 << 10
MOST_RATIO = 50  # bytes out of one: what honest files never reach
METADATA = "metadata.json"

_END = struct.Struct("<4s4H2LH")  # the end of a zip's directory, as PKWARE's APPNOTE 4.3.16 has it
_END_SIGNATURE = b"PK\x05\x06"
_END_64_LOCATOR = b"PK\x06\x07"
_END_64_LOCATOR_BYTES = 20
_LONGEST_COMMENT = 0xFFFF
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # bits of an entry's flags
_PATH = re.compile(
    r"bot\.py|models/(?P<kind>model|weights|config)/(?P<filename>[A-Za-z0-9][A-Za-z0-9._-]{0,99})"
)
_FOLDERS = ("models/", "models/model/", "models/weights/", "models/config/")
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    struct.error,
)
_LAYOUT = "Expected bot.py and models/model/…, models/weights/… or models/config/…, each with a file's name."


class PackageEntry(NamedTuple):
    """One file of a package, unopened."""

    kind: Artifact.Kind
    filename: str
    content: bytes


def read_package(file: IO[bytes], *, most_bytes: int) -> list[PackageEntry]:
    """Return the files of a package, which have at most `most_bytes` in all. Raises ValidationError."""
    start = _require_plain(file)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _checked(archive.infolist(), start, most_bytes)
            return [_entry(each.filename, archive.read(each)) for each in entries]
    except _UNREADABLE as error:
        raise ValidationError(
            "The file is damaged or no zip file. Pack it again and upload it whole."
        ) from error


def _require_plain(file: IO[bytes]) -> int:
    """Return where the zip's directory begins, once it is known to be small and the file nothing else too.

    The end record that this reads is the one that zipfile reads.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_COMMENT - _END.size))
    tail = file.read()
    begins_at = len(tail) - _END.size
    if tail[begins_at : begins_at + 4] != _END_SIGNATURE or tail[-2:] != b"\0\0":
        begins_at = tail.rfind(_END_SIGNATURE)
    file.seek(0)
    if begins_at < 0 or len(tail) - begins_at < _END.size or file.read(4) != b"PK\x03\x04":
        raise ValidationError("Expected a zip file with bot.py in it, got something else.")
    _, _, _, _, entries, directory_bytes, directory_at, _ = _END.unpack_from(tail, begins_at)
    locator_at = max(0, begins_at - _END_64_LOCATOR_BYTES)
    if tail[locator_at : locator_at + 4] == _END_64_LOCATOR:
        raise ValidationError("The zip file is of the kind for very large ones. Pack it as a plain one.")
    if entries > MOST_ENTRIES or directory_bytes > MOST_DIRECTORY_BYTES:
        raise ValidationError(f"The zip file has more than {MOST_ENTRIES} entries. {_LAYOUT}")
    end_at = size - len(tail) + begins_at
    if directory_at + directory_bytes != end_at:
        raise ValidationError("The file is a zip file and something else at once. Pack it again.")
    return int(directory_at)


def _checked(infos: Sequence[zipfile.ZipInfo], directory_at: int, most_bytes: int) -> list[zipfile.ZipInfo]:
    if len(infos) > MOST_ENTRIES:
        raise ValidationError(f"The zip file has more than {MOST_ENTRIES} entries. {_LAYOUT}")
    problems = [problem for info in infos for problem in _problems(info)]
    names = [info.filename.casefold() for info in infos]
    twice = sorted({info.filename for info in infos if names.count(info.filename.casefold()) > 1})
    if twice:
        problems.append(f"{_shown(twice[0])} is in the zip file twice, or differs in capital letters only.")
    if sum(info.file_size for info in infos) > most_bytes:
        problems.append(f"The files have more than {most_bytes >> 20} MB together.")
    if _overlap(infos, directory_at):
        problems.append("Entries of the zip file overlap, which those of honest ones never do.")
    if "bot.py" not in names:
        problems.append(f"There is no bot.py at the top of the zip file. {_LAYOUT}")
    if problems:
        raise ValidationError(problems[:5])
    return [info for info in infos if _PATH.fullmatch(info.filename)]


def _problems(info: zipfile.ZipInfo) -> Iterator[str]:
    name = _shown(info.orig_filename)
    is_file = _PATH.fullmatch(info.orig_filename) or info.orig_filename == METADATA
    if not is_file and info.orig_filename not in _FOLDERS:
        yield f"{name} does not belong into a package. {_LAYOUT}"
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG if is_file else stat.S_IFDIR):
        yield f"{name} is a link or a device. Pack the file itself."
    if info.flag_bits & _ENCRYPTED:
        yield f"{name} is encrypted. Pack it without a password."
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield f"{name} is packed in an unusual way. Pack it with the usual one, deflate."
    if info.file_size > MOST_RATIO * max(1, info.compress_size):
        yield f"{name} would unpack to more than {MOST_RATIO} times its size."


def _overlap(infos: Iterable[zipfile.ZipInfo], directory_at: int) -> bool:
    free_from = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < free_from:
            return True
        free_from = info.header_offset + _LOCAL_HEADER_BYTES + len(info.orig_filename) + info.compress_size
    return free_from > directory_at


def _entry(path: str, content: bytes) -> PackageEntry:
    found = _PATH.fullmatch(path)
    assert found is not None
    if found["kind"] is None:
        return PackageEntry(Artifact.Kind.CODE, path, content)
    return PackageEntry(Artifact.Kind(found["kind"].upper()), found["filename"], content)


def _shown(name: str) -> str:
    return repr(name[:100])
