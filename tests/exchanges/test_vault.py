"""Sealed keys open in their own row under their own key only, and rotation loses none of them."""

import base64
import copy
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.models import User
from deploy.local import env
from exchanges import vault
from exchanges.credentials import Credentials
from exchanges.models import ExchangeAccount
from exchanges.vault import VaultError, opened, read_keys
from tests.factories import make_exchange_account

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture(autouse=True)
def old_key(settings: Settings) -> None:
    settings.VAULT_KEYS = {"old": OLD}


def text_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


def clear(account: ExchangeAccount) -> tuple[str, str]:
    with opened(ExchangeAccount.objects.get(pk=account.pk)) as credentials:
        return credentials.api_key, credentials.secret


def rotate() -> str:
    output = StringIO()
    call_command("rotate_vault_keys", stdout=output)
    return output.getvalue()


# --- the setting --------------------------------------------------------------------------------------


def test_the_setting_names_keys_in_their_order() -> None:
    keys = read_keys(f"new:{text_of(NEW)}, old:{text_of(OLD)}")

    assert list(keys.items()) == [("new", NEW), ("old", OLD)]


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "old",
        "old:",
        f":{text_of(OLD)}",
        f"Old Key:{text_of(OLD)}",
        f"old:{text_of(OLD[:31])}",
        f"old:{text_of(OLD + b'o')}",
        "old:ünsinn",
        f"first:{text_of(NEW)}",
        f"{'x' * 17}:{text_of(OLD)}",
    ],
)
def test_a_bad_setting_tells_the_place_and_not_the_key(entry: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^VAULT_KEYS: expected .*; entry 2 ") as caught:
        read_keys(f"first:{text_of(NEW)},{entry}")

    assert text_of(NEW) not in str(caught.value)
    assert text_of(OLD)[:20] not in str(caught.value)


@pytest.mark.parametrize("variable", ["VAULT_KEYS", "AUDIT_KEYS"])
@pytest.mark.parametrize(("debug", "starts"), [("false", False), ("true", True)])
def test_there_is_no_default_key_without_debug(variable: str, debug: str, starts: bool) -> None:
    other = {"VAULT_KEYS": "AUDIT_KEYS", "AUDIT_KEYS": "VAULT_KEYS"}[variable]
    environment = {
        "SECRET_KEY": "x",
        "DATABASE_URL": "postgres://x@localhost/x",
        "REDIS_URL": "redis://localhost",
        "PUBLIC_URL": "http://localhost:8000",
        "ENV_FILE": "",
        "DEBUG": debug,
        other: f"first:{text_of(NEW)}",
    }
    command = [sys.executable, "-c", "import marketplace.settings"]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )

    assert (result.returncode == 0) == starts
    assert starts or f"{variable} is not set" in result.stderr


def test_an_installation_that_has_no_key_yet_gets_one_and_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("SECRET_KEY=kept\n")

    made = env.load(file)["VAULT_KEYS"]

    assert len(read_keys(made)) == 1
    assert env.load(file)["VAULT_KEYS"] == made
    assert env.load(tmp_path / "other")["VAULT_KEYS"] != made


# --- sealing and opening ------------------------------------------------------------------------------


def test_what_was_sealed_opens(db: None) -> None:
    assert clear(make_exchange_account(api_key="a" * 64, secret="bß" * 32)) == ("a" * 64, "bß" * 32)


def test_the_same_keys_never_look_the_same(db: None) -> None:
    one = make_exchange_account(api_key="k" * 64)
    other = make_exchange_account(api_key="k" * 64, environment="LIVE")

    assert bytes(one.sealed)[12:] != bytes(other.sealed)[12:]


def test_rows_whose_keys_were_swapped_do_not_open(db: None) -> None:
    one, other = make_exchange_account(), make_exchange_account()
    ExchangeAccount.objects.filter(pk=one.pk).update(sealed=other.sealed)
    ExchangeAccount.objects.filter(pk=other.pk).update(sealed=one.sealed)

    for account in (one, other):
        with pytest.raises(VaultError, match="the row was changed or moved"):
            clear(account)


def test_a_row_that_got_another_owner_or_environment_does_not_open(db: None, charlie: User) -> None:
    account = make_exchange_account()
    for change in ({"owner": charlie}, {"environment": "LIVE"}):
        ExchangeAccount.objects.filter(pk=account.pk).update(**change)

        with pytest.raises(VaultError, match="do not open"):
            clear(account)


def test_no_bit_of_a_sealed_row_can_be_changed(db: None) -> None:
    account = make_exchange_account()
    sealed = bytes(account.sealed)

    for place in range(len(sealed)):
        account.sealed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(VaultError), opened(account):
            pass


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 28])
def test_a_sealed_row_that_was_cut_does_not_open(db: None, length: int) -> None:
    account = make_exchange_account()
    account.sealed = bytes(account.sealed)[:length]

    with pytest.raises(VaultError), opened(account):
        pass


def test_another_key_of_the_same_id_does_not_open(db: None, settings: Settings) -> None:
    account = make_exchange_account()
    settings.VAULT_KEYS = {"old": NEW}

    with pytest.raises(VaultError, match="'old' in VAULT_KEYS is not the one"):
        clear(account)


def test_a_key_that_is_missing_is_named(db: None, settings: Settings) -> None:
    account = make_exchange_account()
    settings.VAULT_KEYS = {"new": NEW}

    with pytest.raises(VaultError, match="'old', which VAULT_KEYS lacks"):
        clear(account)


def test_credentials_show_themselves_nowhere() -> None:
    credentials = Credentials("canary-key", "canary-secret")

    assert "canary" not in f"{credentials} {credentials!r} {[credentials]} {vars(Credentials)}"
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="stay in this process"):
            leave(credentials)


# --- rotation -----------------------------------------------------------------------------------------


def test_rotation_brings_every_row_under_the_first_key(db: None, settings: Settings) -> None:
    accounts = [make_exchange_account(secret=f"{number:064}") for number in range(3)]
    make_exchange_account(environment="PAPER")
    settings.VAULT_KEYS = {"new": NEW, "old": OLD}

    progress = rotate()

    settings.VAULT_KEYS = {"new": NEW}
    assert [clear(account)[1] for account in accounts] == [f"{number:064}" for number in range(3)]
    assert "3 of 3" in progress
    assert "sealed under 'new'" in rotate()


def test_rotation_changes_nothing_else_of_a_row(db: None, settings: Settings) -> None:
    account = make_exchange_account(state="LOST_RIGHTS", state_reason="why", permissions={"can_read": True})
    settings.VAULT_KEYS = {"new": NEW, "old": OLD}
    unchanged = [
        field.name for field in ExchangeAccount._meta.fields if field.name not in ("sealed", "key_id")
    ]
    before = ExchangeAccount.objects.values(*unchanged).get(pk=account.pk)

    rotate()

    assert ExchangeAccount.objects.values(*unchanged).get(pk=account.pk) == before


def test_rotation_refuses_while_a_key_is_missing_and_names_it(db: None, settings: Settings) -> None:
    lost, good = make_exchange_account(), make_exchange_account()
    ExchangeAccount.objects.filter(pk=lost.pk).update(key_id="lost")
    settings.VAULT_KEYS = {"new": NEW, "old": OLD}

    with pytest.raises(CommandError, match=r"1 accounts .* lacks: lost\. Nothing was changed"):
        rotate()

    good.refresh_from_db()
    assert good.key_id == "old"


def test_a_row_that_does_not_open_is_named_and_keeps_no_other_back(db: None, settings: Settings) -> None:
    broken, good = make_exchange_account(), make_exchange_account()
    ExchangeAccount.objects.filter(pk=broken.pk).update(sealed=good.sealed)
    settings.VAULT_KEYS = {"new": NEW, "old": OLD}

    with pytest.raises(CommandError, match=rf"Exchange account {broken.pk}: its keys do not open"):
        rotate()

    good.refresh_from_db()
    broken.refresh_from_db()
    assert (good.key_id, broken.key_id) == ("new", "old")


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


def _dies_at(row: int, act: Callable[..., Any]) -> Callable[..., Any]:
    """`act` once more, that ends at its `row`th call, after its work and before the row is committed."""
    calls = iter(range(row + 1))

    def deadly(*arguments: Any) -> Any:
        act(*arguments)
        if next(calls) == row:
            raise Killed

    return deadly


@pytest.mark.django_db(transaction=True)
def test_rotation_may_be_killed_at_every_row(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = make_exchange_account(secret=f"{0:064}").owner
    accounts = [make_exchange_account(owner, secret=f"{number:064}") for number in range(1, 60)]
    settings.VAULT_KEYS = {"new": NEW, "old": OLD}
    reseal = vault.reseal

    for row in range(60):  # the first attempt dies at the first row, each later one a row further
        monkeypatch.setattr(vault, "reseal", _dies_at(min(row, 1), reseal))
        with pytest.raises(Killed):
            rotate()
        assert ExchangeAccount.objects.filter(key_id="new").count() == row
        assert [clear(account)[1] for account in accounts] == [f"{number:064}" for number in range(1, 60)]
    monkeypatch.setattr(vault, "reseal", reseal)
    rotate()

    settings.VAULT_KEYS = {"new": NEW}
    assert ExchangeAccount.objects.filter(key_id="new").count() == 60
    assert [clear(account)[1] for account in accounts] == [f"{number:064}" for number in range(1, 60)]


def test_a_thousand_rows_rotate_in_three_seconds_of_work(db: None, settings: Settings, bob: User) -> None:
    rows = ExchangeAccount.objects.bulk_create(
        ExchangeAccount(owner=bob, exchange="KRAKEN", environment="LIVE", label=str(number))
        for number in range(1000)
    )
    for row in rows:
        vault.seal(row, Credentials("k", f"secret {row.label}"))
    ExchangeAccount.objects.bulk_update(rows, ["sealed", "key_id"])
    settings.VAULT_KEYS = {"new": NEW, "old": OLD}

    begun = time.process_time()
    rotate()
    seconds = time.process_time() - begun

    settings.VAULT_KEYS = {"new": NEW}
    for row in ExchangeAccount.objects.all():
        with opened(row) as credentials:
            assert credentials.secret == f"secret {row.label}"
    assert seconds < 3
