from pathlib import Path

from django.core.mail import EmailMessage
from pytest_django.fixtures import Settings


def test_a_long_link_in_a_mail_file_stays_whole(settings: Settings, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "accounts.mail.ReadableFileBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    link = f"http://127.0.0.1:8000/accounts/confirm-email/{'x' * 120}/"

    EmailMessage("Please confirm", f"Follow {link}", to=["bob@example.com"]).send()

    [file] = tmp_path.iterdir()
    assert link in file.read_text()
    assert "To: bob@example.com" in file.read_text()
