"""What happens to an exchange account: it is added, gets other keys or another name, is checked, and goes.

Nothing is asked of an exchange here: a worker does that, by the task's name, once the row is committed.
"""

from functools import partial

from celery import current_app
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q

from accounts.models import User
from exchanges import vault
from exchanges.credentials import Credentials
from exchanges.models import ExchangeAccount

CHECK_TASK = "exchanges.tasks.check_account"
MOST_ACCOUNTS = 50  # of one person
UNSETTLED = (
    "NEW",
    "SENDING",
    "OPEN",
    "UNKNOWN",
)  # states of an order that its exchange has to be asked about
IN_USE = "A subscription uses this account. Stop it for good, and wait until its last order is settled."
HAS_RECORD = "What was traded on this paper account stays on record, so it stays, too. It has no keys."
KEY_IN_USE = "This key is in use here already. Make another one at the exchange for this account."

State = ExchangeAccount.State


def add_account(
    *, owner: User, exchange: str, environment: str, label: str, credentials: Credentials | None
) -> ExchangeAccount:
    """Store a new account, sealed, and have its keys checked. `credentials` is None for a paper account.

    Raises ValidationError by field name, for an environment that is not to be had or a label or key in use.
    """
    account = ExchangeAccount(owner=owner, exchange=exchange, environment=environment, label=label)
    account.full_clean()
    if account.needs_keys != (credentials is not None):
        raise ValidationError("A live or testnet account needs keys, and a paper account takes none.")
    if ExchangeAccount.objects.of(owner).count() >= MOST_ACCOUNTS:
        raise ValidationError(f"You have {MOST_ACCOUNTS} accounts, the most there can be. Delete one first.")
    if credentials is None:
        account.state = State.ACTIVE
    with transaction.atomic():
        _save_with_own_label(account)
        if credentials is not None:
            _put_in(account, credentials)
    return account


def replace_keys(*, account: ExchangeAccount, credentials: Credentials) -> ExchangeAccount:
    """Seal other keys in place of the account's, and have them checked.

    Raises ValidationError for a paper account, and by field name for a key that another account holds.
    """
    with transaction.atomic():
        account = ExchangeAccount.objects.select_for_update().get(pk=account.pk)
        account.clean()
        if not account.needs_keys:
            raise ValidationError("A paper account takes no keys.")
        _put_in(account, credentials)
    return account


def relabel(*, account: ExchangeAccount, label: str) -> ExchangeAccount:
    """Give the account another name. Raises ValidationError when its owner uses it already."""
    account.label = label
    account.clean_fields()
    account.validate_constraints()
    with transaction.atomic():
        _save_with_own_label(account, update_fields=["label"])
    return account


def check_again(*, account: ExchangeAccount) -> ExchangeAccount:
    """Have the account's keys checked; one that is in use stays so until the answer says otherwise."""
    if not account.needs_keys:
        raise ValidationError("A paper account has no keys to check.")
    failed = ExchangeAccount.objects.filter(pk=account.pk, state__in=[State.REFUSED, State.LOST_RIGHTS])
    with transaction.atomic():
        failed.update(state=State.UNCHECKED)
        _ask_for_check(account)
    return account


def delete_account(*, account: ExchangeAccount) -> bool:
    """Remove the account and its sealed keys for good.

    Of one that was traded with only the keys go, since the record stays; False is returned then. Raises
    ValidationError while a subscription uses it, and for a paper account with a record.
    """
    try:
        account.delete()
    except ProtectedError:
        _remove_keys(account)
        return False
    return True


def _remove_keys(account: ExchangeAccount) -> None:
    with transaction.atomic():
        row = ExchangeAccount.objects.select_for_update().get(pk=account.pk)
        if _is_in_use(row):
            raise ValidationError(IN_USE)
        if not row.needs_keys:
            raise ValidationError(HAS_RECORD)
        row.sealed, row.key_id, row.key_fingerprint, row.api_key_hint = b"", "", "", ""
        row.state, row.state_reason = State.KEYS_REMOVED, ""
        _forget_answers(row)
        row.save()


def _is_in_use(account: ExchangeAccount) -> bool:
    """Whether something trades with it, or an order of it is not settled while that can still be asked for.

    Subscriptions and orders belong to apps above this one, which give them the names used here.
    """
    works = ~Q(state="STOPPED")
    if ExchangeAccount.objects.usable().filter(pk=account.pk).exists():
        works |= Q(orders__state__in=UNSETTLED)
    return account.subscriptions.filter(works).exists()


def accounts_to_rotate() -> list[int]:
    """Return the ids of the accounts that are not sealed under the first of VAULT_KEYS.

    Raises VaultError when one is sealed under a key that VAULT_KEYS lacks.
    """
    sealed = ExchangeAccount.objects.with_keys()
    unknown = sealed.exclude(key_id__in=settings.VAULT_KEYS).order_by("key_id")
    missing = list(unknown.values_list("key_id", flat=True).distinct())
    if missing:
        raise vault.VaultError(
            f"{unknown.count()} accounts are sealed under keys that VAULT_KEYS lacks: {', '.join(missing)}. "
            "Nothing was changed. Add these keys after the first one, and start again."
        )
    late = sealed.exclude(key_id=vault.sealing_key_id())
    return list(late.order_by("pk").values_list("pk", flat=True))


def rotate(account_id: int) -> bool:
    """Bring one account under the first key, in a transaction of its own; False: it was there, or is gone.

    Raises VaultError when its keys do not open; the row then stays as it was.
    """
    with transaction.atomic():
        row = ExchangeAccount.objects.filter(pk=account_id)
        account = row.select_for_update().first()
        if account is None or account.key_id in ("", vault.sealing_key_id()):
            return False
        vault.reseal(account)
        row.update(sealed=account.sealed, key_id=account.key_id)
    return True


def _put_in(account: ExchangeAccount, credentials: Credentials) -> None:
    vault.seal(account, credentials)
    account.api_key_hint = credentials.api_key[-4:]
    account.state, account.state_reason = State.UNCHECKED, ""
    _forget_answers(account)  # they may be another account's keys
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError as error:  # the same whoever holds it: nobody learns what others have
        raise ValidationError({"api_key": KEY_IN_USE}) from error
    _ask_for_check(account)


def _forget_answers(account: ExchangeAccount) -> None:
    account.checked_at, account.permissions, account.has_address_restriction = None, {}, None
    account.balances_at, account.balances = None, {}


def _ask_for_check(account: ExchangeAccount) -> None:
    # robust: without a broker the page still answers, and offers to check again
    transaction.on_commit(partial(current_app.send_task, CHECK_TASK, args=[account.pk]), robust=True)


def _save_with_own_label(account: ExchangeAccount, update_fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            account.save(update_fields=update_fields)
    except IntegrityError as error:  # two requests at once
        raise ValidationError({"label": "You have an account of this name already."}) from error
