"""Whether the person at a browser has just shown with their password that it is they."""

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest


@reauthentication_required
def require_password(request: HttpRequest) -> None:
    """Have the password asked for, unless it was given within ACCOUNT_REAUTHENTICATION_TIMEOUT seconds.

    Raises ReauthenticationRequired, for which the account library's middleware shows its page and comes back
    here. A posted form waits in the session meanwhile and is then sent again: it must hold no secret.
    """


def has_given_password(request: HttpRequest) -> bool:
    """Whether the password was given as lately as `require_password` wants it."""
    try:
        require_password(request)
    except ReauthenticationRequired:
        return False
    return True
