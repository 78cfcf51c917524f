"""What an exchange account holds, as its exchange told last; new subscriptions are weighed against it."""

from collections.abc import Mapping

from django.utils import timezone

from exchanges.gateway import Balance
from exchanges.gateways import account_client
from exchanges.models import ExchangeAccount
from exchanges.vault import opened


def refresh_balances(account: ExchangeAccount) -> dict[str, Balance]:
    """Ask for the balances, store and return them, by asset. For workers: it loads ccxt.

    Raises ExchangeUnavailable, KeyRefused, VaultError; then nothing changes.
    """
    with opened(account) as credentials:
        client = account_client(account.exchange, account.environment, credentials)
        balances = client.fetch_balances()
    store_balances(account, balances)
    return balances


def store_balances(account: ExchangeAccount, balances: Mapping[str, Balance]) -> None:
    """Keep what the exchange told just now, unless the account got other keys meanwhile."""
    told = {
        asset: {"free": f"{held.free:f}", "locked": f"{held.locked:f}"} for asset, held in balances.items()
    }
    same = ExchangeAccount.objects.filter(pk=account.pk, sealed=account.sealed)
    same.update(balances=told, balances_at=timezone.now())
