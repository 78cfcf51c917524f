"""Mail as files for people: without transfer encoding, so that links can be clicked and copied."""

from django.core.mail import EmailMessage
from django.core.mail.backends.filebased import EmailBackend


class ReadableFileBackend(EmailBackend):
    """Write each message as its main headers and its text."""

    def write_message(self, message: EmailMessage) -> None:
        headers = f"From: {message.from_email}\nTo: {', '.join(message.to)}\nSubject: {message.subject}\n\n"
        # the stubs take the stream for one of text; it is one of bytes
        self.stream.write(f"{headers}{message.body}\n{'-' * 79}\n".encode())  # type: ignore[arg-type]
