"""What a developer may upload, and what is left of an upload that broke off."""

import io
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from bot_sdk.cli import main
from bot_sdk.code_policy import MAX_BYTES
from bots import packages, publishing, storage, uploads
from bots.drafting import start_version, submit
from bots.errors import PublishingError, TooManyUploads
from bots.models import Artifact, BotVersion
from bots.object_stores import ObjectStore
from bots.package_archive import read_package
from bots.storage import read_code, read_models
from tests.bots.conftest import MakeBucket, stored_in
from tests.factories import BUYING_BOT, make_bot

pytestmark = pytest.mark.django_db

CODE = BUYING_BOT.encode()
LONG = "x" * 300 + ".pkl"


@pytest.fixture
def draft() -> BotVersion:
    return start_version(bot=make_bot(), number="v1.1.0")


@pytest.fixture
def kept_draft(store: ObjectStore) -> BotVersion:
    """One in each place of files, with code."""
    draft = start_version(bot=make_bot(), number="v1.1.0")
    uploads.put_code(version=draft, content=CODE)
    return draft


def left_of(version: BotVersion) -> set[tuple[str, str]]:
    """The objects of the version's bot, but for those of the version that is published."""
    found = {each.object for each in stored_in().listing(f"bots/{version.bot_id}/")}
    return {each for each in found if "/v1.0.0/" not in each.key}


def rows_of(version: BotVersion) -> set[tuple[str, str]]:
    return set(version.artifacts.values_list("key", "object_version"))


# --- code ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n", "bot.py is empty"),
        (CODE + b"#" * MAX_BYTES, "Line 1: The file is larger than 256 KB"),
        (b"\x7fELF\x00\xff\xfe", "Line 1: .*not text in UTF-8"),
        (BUYING_BOT.encode("utf-16"), "Line 1: .*not text in UTF-8"),
        (b"\xef\xbb\xbf" + CODE, "Line 1: .*byte order mark"),
        (CODE + b"x = '\x00'\n", "Line 8: .U[+]0000"),
        (CODE + b"x = 1\ny = (\n", "Line 9: This is no Python"),
        (CODE + b"if x:\n\ty = 1\n        z = 1\n", "Line 10: This is no Python"),
        (b"# coding: utf-7\n" + CODE, "Line 1: .*utf-7"),
        (CODE + b"\fx = 1\n", "Line 8: .U[+]000C"),
        (CODE + b"# \rimport os\n", "Line 8: .U[+]000D"),
        (CODE + b"x = " + b"(" * 10_000 + b")" * 10_000, "Line 8: .*nested deeper"),
        (CODE + b"x = " + b"-" * 100_000 + b"1", "nested deeper"),
        (CODE + b"x = " + b"9" * 100_000, "Line 8: .*4300 digits"),
    ],
)
def test_code_that_is_no_plain_python_is_refused_with_its_line(
    draft: BotVersion, content: bytes, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        uploads.put_code(version=draft, content=content)

    assert re.search(message, "\n".join(caught.value.messages))
    assert left_of(draft) == set()


@pytest.mark.parametrize(
    "hidden",
    ["\r", "\f", "\x1b", "\x85", "\xad", "\u200b", "\u200d", "\u2028", "\u202e", "\u061c", "\U000e0041"],
    ids=ascii,
)
def test_what_nobody_sees_is_refused_by_site_and_command_line_alike(
    draft: BotVersion, hidden: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = CODE + f"# {hidden}x\n".encode()
    (tmp_path / "bot.py").write_bytes(content)

    with pytest.raises(ValidationError) as caught:
        uploads.put_code(version=draft, content=content)
    assert main(["check", str(tmp_path / "bot.py")]) == 1

    [(line, message)] = re.findall(r"Line (\d+): (.*)", "\n".join(caught.value.messages))
    assert line == "8" and f"U+{ord(hidden):04X}" in message
    said = " ".join(capsys.readouterr().out.split())
    assert f"bot.py:{line}: encoding, mend: {message}" in said


def test_code_is_stored_as_it_came_and_not_run(draft: BotVersion, tmp_path: Path) -> None:
    content = CODE.replace(b"\n", b"\r\n") + f"open({str(tmp_path / 'ran')!r}, 'w')\r\n".encode()

    artifact = uploads.put_code(version=draft, content=content)

    assert (artifact.filename, artifact.size) == ("bot.py", len(content))
    assert read_code(draft).encode() == content
    assert not (tmp_path / "ran").exists()


# --- files beside the code ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"kind": "CODE"}, "one of MODEL, WEIGHTS, CONFIG"),
        ({"filename": LONG}, "at most 100 letters"),
        ({"filename": "../a.json"}, "at most 100 letters"),
        ({"filename": 'a";\r\nX: 1.json'}, "at most 100 letters"),
        ({"filename": ".json"}, "at most 100 letters"),
        ({"filename": "model.h5"}, "expected a file ending in .onnx"),
        ({"content": b"\x89HDF\r\n\x1a\n"}, "does not begin as files ending in .json do"),
        ({"filename": "a.pkl", "content": b"%PDF-1.7"}, "does not begin as files ending in .pkl do"),
        ({"filename": "a.onnx", "content": b"<script>"}, "does not begin as files ending in .onnx do"),
        ({"filename": "a.npz", "content": b"\x93NUMPY"}, "does not begin as files ending in .npz do"),
        ({"content": b""}, "is empty"),
        ({"framework": "sk<b>learn"}, "a framework's name"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused(
    draft: BotVersion, overrides: dict[str, Any], message: str
) -> None:
    values = {"kind": "CONFIG", "filename": "config.json", "content": b"{}", "framework": ""} | overrides

    with pytest.raises(ValidationError, match=message):
        uploads.put_model(version=draft, **values)

    assert left_of(draft) == set()


def test_a_hostile_pickle_is_stored_unopened(draft: BotVersion, tmp_path: Path) -> None:
    content = f"cos\nsystem\n(S'touch {tmp_path}/ran'\ntR.".encode()

    uploads.put_model(version=draft, kind="WEIGHTS", filename="scaler.pkl", content=b"\x80\x02" + content)

    assert read_models(draft)[0].content == b"\x80\x02" + content
    assert not (tmp_path / "ran").exists()


def test_size_number_and_names_of_files_are_bounded(
    draft: BotVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(draft, "first.json")
    with pytest.raises(ValidationError, match="capital letters only"):
        put(draft, "First.json")
    monkeypatch.setattr(uploads, "MOST_FILES", 1)
    with pytest.raises(ValidationError, match="at most 1 files"):
        put(draft, "second.json")
    monkeypatch.setattr(uploads, "MOST_VERSION_BYTES", 3)
    with pytest.raises(ValidationError, match="together"):
        put(draft, "first.json", b"[10]")
    monkeypatch.setattr(uploads, "MOST_FILE_BYTES", 3)
    with pytest.raises(ValidationError, match="larger than"):
        put(draft, "first.json", b"[10]")

    assert left_of(draft) == rows_of(draft)
    assert read_models(draft)[0].content == b"[1]"


def put(draft: BotVersion, filename: str, content: bytes = b"[1]") -> Artifact:
    return uploads.put_model(version=draft, kind="CONFIG", filename=filename, content=content)


# --- replacing ----------------------------------------------------------------------------------------------


def test_a_file_is_replaced_and_removed_without_a_trace(
    kept_draft: BotVersion, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        uploads.put_code(version=kept_draft, content=CODE + b"# 2\n")
        put(kept_draft, "config.json")
        put(kept_draft, "config.json", b"[2]")
    assert read_code(kept_draft) == BUYING_BOT + "# 2\n"
    assert read_models(kept_draft)[0].content == b"[2]"
    assert left_of(kept_draft) == rows_of(kept_draft) and len(rows_of(kept_draft)) == 2

    with django_capture_on_commit_callbacks(execute=True):
        uploads.remove_file(version=kept_draft, artifact=kept_draft.artifacts.get(kind="CONFIG"))
    assert left_of(kept_draft) == rows_of(kept_draft) and len(rows_of(kept_draft)) == 1


def test_a_version_that_was_handed_in_does_not_change(kept_draft: BotVersion) -> None:
    submit(version=kept_draft)
    code = kept_draft.artifacts.get()

    for upload in (
        lambda: uploads.put_code(version=kept_draft, content=CODE + b"# 2\n"),
        lambda: put(kept_draft, "config.json"),
        lambda: uploads.put_package(version=kept_draft, file=zipped({"bot.py": CODE})),
        lambda: uploads.remove_file(version=kept_draft, artifact=code),
    ):
        with pytest.raises(PublishingError, match="files cannot change"):
            upload()

    assert kept_draft.artifacts.get() == code
    assert left_of(kept_draft) == rows_of(kept_draft)


def test_a_file_of_another_version_is_not_removed(kept_draft: BotVersion) -> None:
    other = start_version(bot=make_bot(), number="v1.1.0", copy_of=kept_draft)

    uploads.remove_file(version=kept_draft, artifact=other.artifacts.get())

    assert read_code(other) == BUYING_BOT


def test_where_no_versions_are_kept_a_replaced_file_is_the_new_one(
    use_bucket: MakeBucket, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    use_bucket(is_versioned=False)
    draft = start_version(bot=make_bot(), number="v1.1.0")

    with django_capture_on_commit_callbacks(execute=True):
        uploads.put_code(version=draft, content=CODE)
        uploads.put_code(version=draft, content=CODE + b"# 2\n")

    assert read_code(draft) == BUYING_BOT + "# 2\n"


@pytest.mark.django_db(transaction=True)
def test_more_uploads_at_once_than_may_be_are_refused(draft: BotVersion) -> None:
    mine, other = draft.bot.developer_id, make_bot()
    others_draft = start_version(bot=other, number="v1.1.0")
    elsewhere = connection.copy()
    try:
        with elsewhere.cursor() as cursor:
            for place in range(uploads.MOST_AT_ONCE):
                cursor.execute("SELECT pg_advisory_lock(%s, %s)", [uploads.ADVISORY_LOCKS + place, mine])

        with pytest.raises(TooManyUploads, match="under way"):
            uploads.put_code(version=draft, content=CODE)
        uploads.put_code(version=others_draft, content=CODE)
        with elsewhere.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
    finally:
        elsewhere.close()

    uploads.put_code(version=draft, content=CODE)
    assert left_of(draft) == rows_of(draft)


KILLED_UPLOAD = """
import os, signal, sys
import django
django.setup()
from django.conf import settings
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
settings.STORAGES["artifacts"]["OPTIONS"]["location"] = sys.argv[2]
from bots import storage, uploads
from bots.models import Artifact, BotVersion
store = storage.store
def and_die(*arguments):
    store(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
storage.store = and_die
uploads.put_code(version=BotVersion.objects.get(pk=sys.argv[3]), content=b"import bot_sdk\\n")
"""


@pytest.mark.django_db(transaction=True)
def test_an_upload_killed_between_object_and_row_changes_nothing_and_is_swept(draft: BotVersion) -> None:
    uploads.put_code(version=draft, content=CODE)
    location = stored_in().location
    arguments = [connection.settings_dict["NAME"], str(location), str(draft.pk)]

    killed = subprocess.run([sys.executable, "-c", KILLED_UPLOAD, *arguments], timeout=120, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert read_code(draft) == BUYING_BOT
    assert len(left_of(draft) - rows_of(draft)) == 1
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert storage.sweep() == 1
    assert left_of(draft) == rows_of(draft)
    uploads.put_code(version=draft, content=CODE + b"# 2\n")  # its place is free again


# --- packages -----------------------------------------------------------------------------------------------


def zipped(files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED, **facts: Any) -> io.BytesIO:
    """A zip with the files; `facts` are set on each entry."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = compression
            for fact, value in facts.items():
                setattr(entry, fact, value)
            archive.writestr(entry, content)
    return file


def with_bot(name: str, content: bytes = b"{}", **facts: Any) -> io.BytesIO:
    return zipped({"bot.py": CODE, name: content}, **facts)


def renamed(old: bytes, new: bytes) -> io.BytesIO:
    return io.BytesIO(with_bot(old.decode()).getvalue().replace(old, new))


def twice() -> io.BytesIO:
    return renamed(b"models/config/b.json", b"bot.py\x00config/b.json")


def overlapping() -> io.BytesIO:
    """Both entries in the directory show the same bytes of the file."""
    content = bytearray(zipped({"bot.py": CODE, "models/config/a.json": b"{}"}).getvalue())
    at = content.rfind(b"PK\x01\x02")
    content[at + 42 : at + 46] = struct.pack("<L", 0)
    return io.BytesIO(bytes(content))


def many() -> io.BytesIO:
    return zipped({f"models/config/{number}.json": b"" for number in range(10_000)})


def bomb() -> io.BytesIO:
    return with_bot("models/config/a.json", b"[" + b" " * 5_000_000 + b"]")


def encrypted() -> io.BytesIO:
    content = bytearray(zipped({"bot.py": CODE}).getvalue())
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    return io.BytesIO(bytes(content))


def damaged() -> io.BytesIO:
    content = bytearray(zipped({"bot.py": CODE}, compression=zipfile.ZIP_STORED).getvalue())
    content[60] ^= 1
    return io.BytesIO(bytes(content))


def polyglot() -> io.BytesIO:
    return io.BytesIO(b"PK\x03\x04%PDF-1.7\n" + zipped({"bot.py": CODE}).getvalue())


def huge_kind() -> io.BytesIO:
    content = zipped({"bot.py": CODE}).getvalue()
    return io.BytesIO(content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (bomb, "more than 50 times its size"),
        (many, "more than 64 entries"),
        (overlapping, "overlap"),
        (lambda: with_bot("models/config/a.json", compression=zipfile.ZIP_LZMA), "usual one, deflate"),
        (lambda: with_bot("models/config/a.json", compression=zipfile.ZIP_BZIP2), "usual one, deflate"),
        (lambda: with_bot("../x"), "'../x' does not belong"),
        (lambda: with_bot("/etc/passwd"), "does not belong"),
        (lambda: with_bot("models\\config\\a.json"), "does not belong"),
        (lambda: with_bot("models/config/../../x"), "does not belong"),
        (lambda: with_bot("models/model/deeper/a.json"), "does not belong"),
        (lambda: with_bot("models/config/a.json", external_attr=0o120777 << 16), "link or a device"),
        (lambda: with_bot("models/config/a.json", external_attr=0o020666 << 16), "link or a device"),
        (lambda: renamed(b"models/config/b.json", b"models/config/b\0json"), "does not belong"),
        (twice, "does not belong"),
        (lambda: with_bot("BOT.py"), "does not belong"),
        (
            lambda: zipped({"bot.py": CODE, "models/config/a.json": b"1", "models/config/A.json": b"2"}),
            "twice",
        ),
        (encrypted, "without a password"),
        (damaged, "damaged"),
        (polyglot, "something else at once"),
        (huge_kind, "very large ones"),
        (lambda: zipped({"models/config/a.json": b"{}"}), "no bot.py at the top"),
        (lambda: io.BytesIO(b"%PDF-1.7"), "Expected a zip file"),
        (lambda: io.BytesIO(b""), "Expected a zip file"),
        (lambda: io.BytesIO(zipped({"bot.py": CODE}).getvalue()[:-30]), "Expected a zip file"),
        (lambda: with_bot("models/config/a.pkl"), "does not begin as files"),
        (lambda: zipped({"bot.py": b"x = ("}), "Line 1: This is no Python"),
    ],
)
def test_a_package_that_is_no_plain_one_is_refused(
    draft: BotVersion, make: Callable[[], io.BytesIO], message: str
) -> None:
    uploads.put_code(version=draft, content=CODE)

    with pytest.raises(ValidationError) as caught:
        uploads.put_package(version=draft, file=make())

    assert message in "\n".join(caught.value.messages)
    assert read_code(draft) == BUYING_BOT
    assert left_of(draft) == rows_of(draft)


def test_two_entries_of_one_name_are_refused(draft: BotVersion) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("bot.py", CODE)
        archive.writestr("bot.py", b"print('second')")

    with pytest.raises(ValidationError, match="twice"):
        uploads.put_package(version=draft, file=file)


def test_random_damage_to_a_package_is_refused_or_harmless(draft: BotVersion) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    whole = zipped({"bot.py": CODE, "models/config/a.json": b'{"a": 1}'}).getvalue()

    for _ in range(300):
        content = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        try:
            entries = read_package(io.BytesIO(bytes(content)), most_bytes=1 << 20)
        except ValidationError:
            continue
        assert {entry.content for entry in entries} <= {CODE, b'{"a": 1}'}


def test_a_package_is_what_a_download_gives_and_replaces_all_files(
    kept_draft: BotVersion, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    uploads.put_model(
        version=kept_draft, kind="WEIGHTS", filename="scaler.json", content=b"[1]", framework="own"
    )
    with packages.pack(kept_draft) as first, packages.pack(kept_draft) as second:
        content = first.read()
        assert content == second.read()
    put(kept_draft, "extra.json")
    uploads.put_code(version=kept_draft, content=CODE + b"# 2\n")

    with django_capture_on_commit_callbacks(execute=True):
        uploads.put_package(version=kept_draft, file=io.BytesIO(content))

    files = {(each.kind, each.filename, each.framework) for each in kept_draft.artifacts.all()}
    assert files == {("CODE", "bot.py", ""), ("WEIGHTS", "scaler.json", "own")}
    assert read_code(kept_draft) == BUYING_BOT
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["bot.py", "models/weights/scaler.json", "metadata.json"]
        assert archive.read("bot.py") == CODE
        assert b'"sha256"' in archive.read("metadata.json")


def test_a_folder_that_was_packed_by_other_means_is_taken(draft: BotVersion, tmp_path: Path) -> None:
    for path, content in {"bot.py": CODE, "models/weights/scaler.json": b"[1]"}.items():
        (tmp_path / "mine" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / path).write_bytes(content)
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "mine")

    with open(packed, "rb") as file:
        uploads.put_package(version=draft, file=file)

    assert read_code(draft) == BUYING_BOT
    assert [(each.kind, each.filename) for each in read_models(draft)] == [("WEIGHTS", "scaler.json")]


def test_metadata_is_stored_when_a_version_is_handed_in_and_when_it_is_published(
    kept_draft: BotVersion, store: ObjectStore, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    key = storage.metadata_key(kept_draft)
    with django_capture_on_commit_callbacks(execute=True):
        submit(version=kept_draft)
    assert b'"published_at": null' in metadata(store, key)

    with django_capture_on_commit_callbacks(execute=True):
        publishing.publish(version=kept_draft, was=BotVersion.State.CHECKING)
    assert b'"published_at": "20' in metadata(store, key)


def metadata(store: ObjectStore, key: str) -> bytes:
    [stored] = [each.object for each in store.listing("bots/") if each.object.key == key]
    return store.get(stored, 10_000)
