"""Where our rules on people's addresses are stricter than the account library's."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.contrib import messages
from django.http import HttpRequest

from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library has no types
    """Keeps one account to an address: the library asks the addresses it manages, not the accounts."""

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        others = User.objects.exclude(pk=email_address.user_id)
        if others.filter(email__iexact=email_address.email).exists():
            template = "account/messages/email_confirmation_failed.txt"
            self.add_message(request, messages.ERROR, template, {"email": email_address.email})
            return False
        return bool(super().confirm_email(request, email_address))

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Keep the primary address, since without one nobody could reset a lost password."""
        return not email_address.primary
