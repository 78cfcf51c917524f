"""One key is in one account, whoever has it; who is refused does not learn whose it is."""

import uuid
from importlib import import_module
from threading import Thread

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from exchanges.accounts import KEY_IN_USE, add_account, delete_account, replace_keys
from exchanges.credentials import Credentials
from exchanges.models import ExchangeAccount
from exchanges.vault import opened
from tests.exchanges.simulated import Simulator
from tests.factories import give_password, make_exchange_account, make_user

pytestmark = pytest.mark.django_db
KEY = "Taken" + "k" * 59
ID = str(uuid.uuid4())


def add(owner: User, api_key: str = KEY, **choices: str) -> ExchangeAccount:
    chosen = {"exchange": "BINANCE", "environment": "TESTNET", "label": "New"} | choices
    return add_account(owner=owner, credentials=Credentials(api_key, "s" * 64), **chosen)


@pytest.mark.parametrize("whose", ["bob", "charlie"])
def test_a_key_that_is_in_use_is_refused_in_the_same_words_whoever_has_it(
    client: Client, bob: User, charlie: User, whose: str
) -> None:
    make_exchange_account({"bob": bob, "charlie": charlie}[whose], label="Holder", api_key=KEY)
    client.force_login(bob)
    give_password(client)
    typed = {"label": "New", "exchange": "BINANCE", "environment": "TESTNET"}

    answer = client.post(reverse("exchanges:add"), typed | {"api_key": KEY, "secret": "t" * 64})

    assert answer.context["form"].errors == {"api_key": [KEY_IN_USE]}
    page = answer.content.decode()
    assert (KEY in page, "charlie" in page, "Holder" in page) == (False, False, False)
    assert not ExchangeAccount.objects.filter(label="New").exists()


def test_keys_are_not_replaced_by_those_of_another_account(client: Client, bob: User, charlie: User) -> None:
    make_exchange_account(charlie, api_key=KEY)
    own = make_exchange_account(bob, api_key="o" * 64)
    client.force_login(bob)
    give_password(client)

    answer = client.post(
        reverse("exchanges:replace_keys", args=[own.pk]), {"api_key": KEY, "secret": "t" * 64}
    )

    assert answer.context["form"].errors == {"api_key": [KEY_IN_USE]}
    with opened(ExchangeAccount.objects.get(pk=own.pk)) as credentials:
        assert credentials.api_key == "o" * 64


def test_an_account_may_get_its_own_key_again(bob: User) -> None:
    account = make_exchange_account(bob, api_key=KEY)

    replace_keys(account=account, credentials=Credentials(KEY, "another secret"))

    with opened(ExchangeAccount.objects.get()) as credentials:
        assert credentials.secret == "another secret"


def test_a_key_is_free_again_once_its_account_is_deleted(bob: User, charlie: User) -> None:
    delete_account(account=make_exchange_account(charlie, api_key=KEY))

    assert add(bob).owner == bob


def test_a_key_is_free_again_once_it_is_replaced(bob: User, charlie: User) -> None:
    replace_keys(
        account=make_exchange_account(charlie, api_key=KEY), credentials=Credentials("n" * 64, "s" * 64)
    )

    assert add(bob).owner == bob


def test_the_same_text_is_another_key_elsewhere(bob: User, settings: Settings) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    make_exchange_account(bob, api_key=KEY)

    add(bob, environment="LIVE", label="Live")
    add(bob, environment="LIVE", exchange="KRAKEN", label="Kraken")

    assert ExchangeAccount.objects.exclude(key_fingerprint="").count() == 3


def test_coinbases_key_is_the_same_with_and_without_its_organization(bob: User, settings: Settings) -> None:
    settings.EXCHANGE_TESTNET_MODE = False
    add(bob, f"organizations/{uuid.uuid4()}/apiKeys/{ID}", environment="LIVE", exchange="COINBASE")

    with pytest.raises(ValidationError, match="in use here already"):
        add(bob, ID.upper(), environment="LIVE", exchange="COINBASE", label="Again")


def test_paper_accounts_have_no_key_to_share(bob: User) -> None:
    for _ in range(2):
        make_exchange_account(bob, environment="PAPER")

    assert list(ExchangeAccount.objects.values_list("key_fingerprint", flat=True)) == ["", ""]


def test_the_database_itself_refuses_a_key_twice(bob: User) -> None:
    one, other = make_exchange_account(bob), make_exchange_account(bob)

    with pytest.raises(IntegrityError, match="one_exchange_account_per_key"), transaction.atomic():
        ExchangeAccount.objects.filter(pk=other.pk).update(key_fingerprint=one.key_fingerprint)


def test_a_fingerprint_depends_on_the_secret_of_this_installation(bob: User, settings: Settings) -> None:
    here = make_exchange_account(bob, api_key=KEY)
    settings.SECRET_KEY = "that of another installation"

    elsewhere = make_exchange_account(bob, api_key=KEY)

    assert elsewhere.key_fingerprint != here.key_fingerprint


@pytest.mark.django_db(transaction=True)
def test_of_two_who_add_a_key_at_once_one_is_refused() -> None:
    first, second = make_user("first"), make_user("second")
    refused: list[str] = []

    def add_second() -> None:
        try:
            add(second)
        except ValidationError as error:
            refused.extend(error.messages)
        finally:
            connection.close()

    def is_waiting() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
            return bool(cursor.fetchone()[0])

    thread = Thread(target=add_second)
    with transaction.atomic():
        add(first)  # and has not been committed yet
        thread.start()
        Simulator.wait_for(is_waiting, seconds=60)
    thread.join()

    assert refused == [KEY_IN_USE]
    assert ExchangeAccount.objects.get().owner == first


def test_keys_from_before_fingerprints_get_theirs_and_of_twins_the_first(bob: User) -> None:
    first, other = make_exchange_account(bob, api_key=KEY), make_exchange_account(bob)
    expected = {first.pk: first.key_fingerprint, other.pk: other.key_fingerprint}
    ExchangeAccount.objects.update(key_fingerprint="")
    twin, broken = make_exchange_account(bob, api_key=KEY), make_exchange_account(bob)
    expected |= {twin.pk: "", broken.pk: ""}
    ExchangeAccount.objects.update(key_fingerprint="")
    ExchangeAccount.objects.filter(pk=broken.pk).update(sealed=b"not sealed at all")
    sealed = dict(ExchangeAccount.objects.values_list("pk", "sealed"))

    import_module("exchanges.migrations.0005_fingerprint_stored_keys").fingerprint(apps, None)

    assert dict(ExchangeAccount.objects.values_list("pk", "key_fingerprint")) == expected
    assert dict(ExchangeAccount.objects.values_list("pk", "sealed")) == sealed
