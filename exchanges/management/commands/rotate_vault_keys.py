from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import channels, second_factor
from exchanges.accounts import accounts_to_rotate, rotate
from exchanges.vault import VaultError, sealing_key_id

STEP = 100  # accounts between two lines of progress


class Command(BaseCommand):
    help = (
        "Re-seal exchange keys, second factors and notification channels under the first of VAULT_KEYS. "
        "Give the new VAULT_KEYS to all processes first. It may be stopped anywhere and started again; a key "
        "may leave VAULT_KEYS once it ends without an error."
    )

    def handle(self, **_options: Any) -> None:
        try:
            late = accounts_to_rotate()
        except VaultError as error:
            raise CommandError(str(error)) from error
        problems = self._rotate_all(late)
        for reseal_all in (second_factor.reseal_all, channels.reseal_all):
            try:
                reseal_all()
            except second_factor.SecretLost as error:
                problems.append(str(error))
        if problems:
            raise CommandError("\n".join(problems))
        self.stdout.write(
            f"All exchange keys, second factors and channels are sealed under {sealing_key_id()!r}."
        )

    def _rotate_all(self, late: list[int]) -> list[str]:
        """Return what could not be done; one account that does not open keeps no other back."""
        problems = []
        for number, account_id in enumerate(late, start=1):
            try:
                rotate(account_id)
            except VaultError as error:
                problems.append(str(error))
            if number % STEP == 0 or number == len(late):
                self.stdout.write(f"{number} of {len(late)}")
        return problems
