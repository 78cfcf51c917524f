"""One contract for both places of bots' files."""

import hashlib
import os
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from bots import artifact_cache, storage
from bots.drafting import discard, start_version
from bots.errors import ArtifactChanged, ArtifactError, StorageUnavailable
from bots.models import Artifact, BotVersion
from bots.object_stores import ObjectStore, StoredObject
from bots.storage import read, read_code, read_models, save_code, save_model
from tests.bots.conftest import MakeBucket, stored_in
from tests.factories import BUYING_BOT, make_bot

pytestmark = pytest.mark.django_db

CODE = BUYING_BOT.encode()


@pytest.fixture
def version(store: ObjectStore) -> BotVersion:
    current = make_bot(code=BUYING_BOT).current_version
    assert current is not None
    return current


@pytest.fixture
def without_copies(settings: Settings) -> None:
    settings.ARTIFACT_CACHE_MB = 0


def objects(store: ObjectStore) -> set[tuple[str, str]]:
    return {each.object for each in store.listing("bots/")}


def rows() -> set[tuple[str, str]]:
    return set(Artifact.objects.values_list("key", "object_version"))


def object_of(artifact: Artifact) -> StoredObject:
    return StoredObject(artifact.key, artifact.object_version)


def later(**span: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(**span))


def test_what_is_published_is_what_is_read(version: BotVersion, store: ObjectStore) -> None:
    save_model(version, Artifact.Kind.WEIGHTS, "scaler.json", b"[1]", framework="own")

    code, weights = version.artifacts.order_by("kind")
    assert read_code(version) == BUYING_BOT
    assert [(each.kind, each.filename, each.content) for each in read_models(version)] == [
        ("WEIGHTS", "scaler.json", b"[1]")
    ]
    assert code.key == f"bots/{version.bot_id}/code/v1.0.0/bot.py"
    assert weights.key == f"bots/{version.bot_id}/models/v1.0.0/weights/scaler.json"
    assert code.object_version and objects(store) == rows()


def test_a_newer_object_at_the_same_key_changes_nothing(
    version: BotVersion, store: ObjectStore, without_copies: None
) -> None:
    store.put(version.artifacts.get().key, CODE.replace(b"BUY", b"BUZ"))

    assert read_code(version) == BUYING_BOT


def test_a_missing_object_is_refused_and_so_is_one_of_other_content(
    version: BotVersion, store: ObjectStore
) -> None:
    artifact = version.artifacts.get()
    store.remove(object_of(artifact))
    with pytest.raises(StorageUnavailable, match="cannot be read from storage"):
        read_code(version)

    artifact.object_version = store.put(artifact.key, CODE + b"\n")
    artifact.save()
    with pytest.raises(ArtifactChanged, match="not what was published"):
        read_code(version)


def test_an_object_that_was_overwritten_where_no_versions_are_kept_is_refused(use_bucket: MakeBucket) -> None:
    use_bucket(is_versioned=False)
    version = make_bot(code=BUYING_BOT).current_version
    assert version is not None
    artifact, store = version.artifacts.get(), stored_in()
    assert artifact.object_version == ""
    assert read_code(version) == BUYING_BOT

    store.put(artifact.key, b"print('swapped')")

    assert read_code(version) == BUYING_BOT  # from the copy
    copies()[0].unlink()
    with pytest.raises(ArtifactChanged):
        read_code(version)


def test_no_flipped_bit_of_an_object_gets_through(without_copies: None) -> None:
    version = make_bot(code=BUYING_BOT).current_version
    assert version is not None
    artifact: Artifact = version.artifacts.select_related("version__bot").get()
    path = Path(stored_in().path(artifact.key), artifact.object_version)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)

    for _ in range(1000):
        changed = flipped(CODE, draw)
        path.write_bytes(changed)
        assert path.read_bytes() != CODE  # would run if nobody looked
        with pytest.raises(ArtifactChanged):
            read(artifact)
    path.write_bytes(CODE)
    assert read(artifact) == CODE


def test_no_flipped_bit_of_a_copy_gets_through() -> None:
    version = make_bot(code=BUYING_BOT).current_version
    assert version is not None
    artifact = version.artifacts.get()
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)

    assert read(artifact) == CODE
    [copy] = copies()
    assert copy.read_bytes() == CODE
    for _ in range(1000):
        copy.write_bytes(flipped(CODE, draw))
        assert artifact_cache.find(artifact.sha256) is None
    assert read(artifact) == CODE


def flipped(content: bytes, draw: random.Random) -> bytes:
    position = draw.randrange(len(content))
    changed = bytearray(content)
    changed[position] ^= 1 << draw.randrange(8)
    return bytes(changed)


def copies() -> list[Path]:
    return sorted(Path(django_settings.ARTIFACT_CACHE_DIR).iterdir())


def test_storage_is_asked_once_and_a_copy_runs_when_it_is_down(
    version: BotVersion, store: ObjectStore, settings: Settings
) -> None:
    other = make_bot(code=BUYING_BOT + "\n").current_version
    assert other is not None
    assert read_code(version) == BUYING_BOT

    take_down(settings)

    assert read_code(version) == BUYING_BOT
    with pytest.raises(StorageUnavailable, match="cannot be read from storage"):
        read_code(other)
    assert [path.stat().st_mode & 0o777 for path in copies()] == [0o600]


def take_down(settings: Settings) -> None:
    backend: dict[str, Any] = dict(settings.STORAGES["artifacts"])
    if "endpoint_url" in backend["OPTIONS"]:
        backend["OPTIONS"] = backend["OPTIONS"] | {"endpoint_url": "http://127.0.0.1:9"}
    else:
        location = Path(backend["OPTIONS"]["location"])
        location.rename(location.with_name("unplugged"))
        location.touch()
    settings.STORAGES = settings.STORAGES | {"artifacts": backend}


def test_storing_while_storage_is_down_leaves_no_row(version: BotVersion, settings: Settings) -> None:
    draft = start_version(bot=version.bot, number="v1.1.0")
    take_down(settings)

    with pytest.raises(StorageUnavailable, match="Try again"):
        save_code(draft, CODE)

    assert not draft.artifacts.exists()


def test_copies_that_were_not_read_for_the_longest_time_make_room(settings: Settings) -> None:
    settings.ARTIFACT_CACHE_MB = 1
    contents = [bytes([each]) * (400 << 10) for each in range(3)]
    hashes = [hashlib.sha256(content).hexdigest() for content in contents]
    for sha256, content, hours in zip(hashes, contents, (3, 2, 1), strict=True):
        if content is contents[2]:
            assert artifact_cache.find(hashes[0]) == contents[0]
        artifact_cache.keep(sha256, content)
        if content is not contents[2]:
            age(copies(), hours)

    assert artifact_cache.find(hashes[1]) is None
    assert artifact_cache.find(hashes[0]) == contents[0]
    assert artifact_cache.find(hashes[2]) == contents[2]


def age(paths: list[Path], hours: float) -> None:
    at = (timezone.now() - timedelta(hours=hours)).timestamp()
    for path in paths:
        os.utime(path, (at, at))


def test_a_draft_that_is_a_copy_has_files_of_its_own(
    version: BotVersion, store: ObjectStore, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    save_model(version, Artifact.Kind.MODEL, "levels.json", b"[1]", framework="own")
    draft = start_version(bot=version.bot, number="v1.1.0", copy_of=version)
    model = draft.artifacts.get(kind="MODEL")
    assert (read_code(draft), model.framework) == (BUYING_BOT, "own")
    assert "/v1.1.0/" in model.key and objects(store) == rows()

    with django_capture_on_commit_callbacks(execute=True):
        discard(version=draft)

    assert objects(store) == rows() == set(version.artifacts.values_list("key", "object_version"))


def test_a_sweep_removes_what_no_row_names_once_it_is_a_day_old(
    version: BotVersion, store: ObjectStore
) -> None:
    for key in (version.artifacts.get().key, "bots/9/code/v1.0.0/bot.py", "bots/9/metadata/v1/metadata.json"):
        store.put(key, b"left behind")

    assert storage.sweep() == 0
    with later(hours=25):
        call_command("sweep_artifacts")

    left = objects(store)
    assert rows() < left
    assert {key for key, _ in left - rows()} == {storage.metadata_key(version)}


def test_a_row_from_before_version_ids_keeps_its_object(version: BotVersion, store: ObjectStore) -> None:
    Artifact.objects.update(object_version="")

    with later(hours=25):
        assert storage.sweep() == 0


def test_metadata_is_replaced_as_a_whole(version: BotVersion, store: ObjectStore) -> None:
    storage.save_metadata(version, b"{}")
    storage.save_metadata(version, b"[]")

    key = storage.metadata_key(version)
    found = [each.object for each in store.listing("bots/") if each.object.key == key]
    assert [store.get(each, 10) for each in found] == [b"[]"]


def test_a_link_into_a_bucket_opens_one_version_of_one_object_for_a_minute(
    use_bucket: MakeBucket, alice: User
) -> None:
    use_bucket()
    version = make_bot(alice, code=BUYING_BOT).current_version
    assert version is not None
    artifact = version.artifacts.get()
    artifact.filename = 'bot";\r\nX-Evil: 1.py'

    url = storage.link(artifact, person=alice)

    stored_in().put(artifact.key, b"newer")
    answer = requests.get(url, timeout=10)
    query = parse_qs(urlsplit(url).query)
    assert answer.content == CODE
    assert (query["X-Amz-Expires"], query["versionId"]) == (["60"], [artifact.object_version])
    assert answer.headers["Content-Disposition"].startswith("attachment; filename")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "X-Evil" not in answer.headers


def test_a_link_into_the_folder_opens_for_its_person_for_a_minute(
    client: Client, alice: User, charlie: User
) -> None:
    version = make_bot(alice, code=BUYING_BOT).current_version
    assert version is not None
    url = storage.link(version.artifacts.get(), person=alice)

    assert client.get(url).status_code == 302
    client.force_login(charlie)
    assert client.get(url).status_code == 404
    client.force_login(alice)
    answer = client.get(url)
    assert answer.content == CODE
    assert answer["Content-Disposition"] == 'attachment; filename="bot.py"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert client.get(url[:-1] + "x").status_code == 404
    with later(seconds=61):
        client.force_login(alice)
        assert client.get(url).status_code == 404


def test_what_a_bucket_stores_is_encrypted(use_bucket: MakeBucket) -> None:
    use_bucket(object_parameters={"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "our-key"})
    version = make_bot().current_version
    assert version is not None

    store = stored_in()
    facts = store.client.head_object(Bucket=store.bucket_name, Key=version.artifacts.get().key)
    assert (facts["ServerSideEncryption"], facts["SSEKMSKeyId"]) == ("aws:kms", "our-key")


def test_a_version_without_code_is_an_artifact_error() -> None:
    draft = start_version(bot=make_bot(), number="v1.1.0")

    with pytest.raises(ArtifactError, match="has to upload it"):
        read_code(draft)


def test_files_move_from_a_folder_into_a_bucket_once(
    settings: Settings, use_bucket: MakeBucket, capsys: pytest.CaptureFixture[str]
) -> None:
    version = make_bot(code=BUYING_BOT).current_version
    assert version is not None
    folder = stored_in().location
    settings.ARTIFACT_CACHE_MB = 0
    use_bucket()
    with pytest.raises(StorageUnavailable):
        read_code(version)

    call_command("move_artifacts", folder)
    call_command("move_artifacts", folder)

    assert read_code(version) == BUYING_BOT
    assert capsys.readouterr().out == f"Moved: {version.artifacts.get().key}\n"
    assert objects(stored_in()) == rows()
