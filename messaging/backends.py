"""Ways out: e-mail backends that leave as little doubt as can be about what became of a mail."""

from __future__ import annotations

import contextlib
import os
import smtplib
import uuid
from collections.abc import Sequence
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from anymail.backends import resend
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as DjangoSMTPBackend

from contacts.clock import now

#: The header that carries a message's own key to a provider that honours one.
IDEMPOTENCY = "Idempotency-Key"


class BrokenAfterBody(smtplib.SMTPServerDisconnected):
    """The connection broke after the mail was handed over and before the server answered."""


class EmlBackend(BaseEmailBackend):
    """Writes each mail as an ``.eml`` file into ``settings.OUTBOX_DIR``.

    A file is there whole or not at all. Its name is the time in UTC and the message's id, so a
    folder sorted by name is sorted by time.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the mails and return their number. Raises OSError."""
        folder = Path(settings.OUTBOX_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{now():%Y%m%dT%H%M%S.%fZ}-{_key(message)}.eml"
            unfinished = folder / f".{name}.{os.getpid()}"
            unfinished.write_bytes(message.message().as_bytes())
            os.replace(unfinished, folder / name)
        return len(email_messages)


def _key(message: EmailMessage) -> str:
    """The id of the message row in a mail's Message-ID; for any other mail a new one."""
    local = message.extra_headers.get("Message-ID", "").strip("<>").partition("@")[0]
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(local))
    return str(uuid.uuid4())


class _SMTP(smtplib.SMTP):
    """Notices when the body of a mail begins to leave; commands are texts, the body is bytes."""

    body_left = False

    def send(self, s: Any) -> None:
        if isinstance(s, bytes):
            self.body_left = True
        super().send(s)


class _SMTP_SSL(_SMTP, smtplib.SMTP_SSL):
    """The same, encrypted from the start."""


class SMTPBackend(DjangoSMTPBackend):
    """SMTP that tells a break before the body, when nothing was sent, from one after it.

    The latter raises `BrokenAfterBody`: the server may have taken the mail.
    """

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SMTP_SSL if self.use_ssl else _SMTP

    def _send(self, email_message: EmailMessage) -> bool:
        connection = self.connection
        assert isinstance(connection, _SMTP)
        connection.body_left = False
        try:
            return bool(super()._send(email_message))  # type: ignore[misc]
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            broken = isinstance(error, smtplib.SMTPServerDisconnected) or not isinstance(
                error, smtplib.SMTPException
            )
            if broken and connection.body_left:
                raise BrokenAfterBody(str(error)) from error
            raise

    def close(self) -> None:
        """Close the connection; one that is broken already is closed all the same."""
        with contextlib.suppress(OSError):
            super().close()
        self.connection = None


class _ResendPayload(resend.ResendPayload):
    def get_request_params(self, api_url: str) -> dict[str, Any]:
        params: dict[str, Any] = super().get_request_params(api_url)
        if key := getattr(self.message, "idempotency_key", ""):
            params["headers"] = {**params["headers"], IDEMPOTENCY: key}
        return params


class ResendBackend(resend.EmailBackend):
    """Anymail's backend for Resend, with the key by which Resend knows a mail it already has."""

    def build_message_payload(self, message: EmailMessage, defaults: dict[str, Any]) -> Any:
        """The request for one mail."""
        return _ResendPayload(message, defaults, self)


#: Backends that are replaced by ours, which are the same and know more.
_BETTER = {
    "django.core.mail.backends.smtp.EmailBackend": "messaging.backends.SMTPBackend",
    "anymail.backends.resend.EmailBackend": "messaging.backends.ResendBackend",
}


def connect() -> BaseEmailBackend:
    """The configured backend, not yet connected."""
    backend = settings.EMAIL_BACKEND
    connection: BaseEmailBackend = get_connection(_BETTER.get(backend, backend))
    return connection


def name() -> str:
    """What the way out is called in the admin: ``smtp``, ``resend``, ``eml``."""
    module, _, class_name = settings.EMAIL_BACKEND.rpartition(".")
    return "eml" if class_name == "EmlBackend" else module.rpartition(".")[2]


def domain(address: str) -> str:
    """The domain of an address such as ``Name <name@example.com>``."""
    return parseaddr(address)[1].rpartition("@")[2] or "localhost"


# What providers can do (FACTS 3.3, 3.5)

#: Providers that refuse a mail with metadata.
_WITHOUT_METADATA = frozenset({"mailersend", "postal"})
#: Providers that know a mail by its key when they are given it a second time, and for how long.
IDEMPOTENT_BACKENDS = {
    "anymail.backends.resend.EmailBackend": timedelta(hours=24),
    "anymail.backends.brevo.EmailBackend": timedelta(minutes=15),
}


def takes_metadata() -> bool:
    """Whether a mail may carry metadata, by which webhooks name it."""
    return name() not in _WITHOUT_METADATA


def idempotent_for() -> timedelta | None:
    """How long the same mail may be handed over again without arriving twice; None: not at all."""
    return IDEMPOTENT_BACKENDS.get(settings.EMAIL_BACKEND)


def idempotency_headers(key: str) -> dict[str, str]:
    """The headers of a mail that carry its key, where the provider reads it from them."""
    return {"idempotencyKey": key} if name() == "brevo" else {}
