"""What became of handing a mail over: one table for SMTP and for providers' APIs.

The question that matters is whether somebody may have taken the mail. Only where it is certain that
nobody did may it be sent again.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from anymail.exceptions import (
    AnymailCancelSend,
    AnymailConfigurationError,
    AnymailError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from django.core.mail import BadHeaderError

from messaging.backends import BrokenAfterBody


class Kind(StrEnum):
    """What follows from an outcome."""

    ACCEPTED = "accepted"  # the server or provider took it
    RETRY = "retry"  # it did not, and may later
    UNAVAILABLE = "unavailable"  # nobody can send anything now: the way out is closed for a while
    FAILED = "failed"  # it did not, and never will
    BOUNCED = "bounced"  # because of the address
    UNCERTAIN = "uncertain"  # nobody knows


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt. ``reason`` is a word for programs, ``detail`` what was answered.

    ``suppress`` says that the address is to blame and nothing may be sent to it again;
    ``retry_after`` is what the other side asked for. ``about_message`` says that the server closed
    the way out when it saw this address or this mail: it is tried later than the others, and not
    for ever, so that it can't stand in their way.
    """

    kind: Kind
    reason: str = ""
    detail: str = ""
    suppress: bool = False
    retry_after: timedelta | None = None
    about_message: bool = False


ACCEPTED = Outcome(Kind.ACCEPTED)

#: Problems of our own settings, met before anything is sent.
_SETTINGS = (
    AnymailConfigurationError,
    ssl.SSLCertVerificationError,
    smtplib.SMTPAuthenticationError,
)
_UNSENDABLE = (
    AnymailInvalidAddress,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
    AnymailCancelSend,
    BadHeaderError,
    UnicodeError,
)


def of(error: BaseException) -> Outcome:
    """The outcome that an exception of a backend stands for (FACTS 3.2)."""
    detail = _detail(error)
    if isinstance(error, BrokenAfterBody):
        return Outcome(Kind.UNCERTAIN, "connection_broke", detail)
    if isinstance(error, _SETTINGS):
        return Outcome(Kind.UNAVAILABLE, "settings", detail)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _refused(error)
    if isinstance(error, AnymailRecipientsRefused):
        status = getattr(getattr(error.email_message, "anymail_status", None), "status", None)
        invalid = "invalid" in (status or ())
        return Outcome(Kind.BOUNCED, "refused_by_provider", detail, suppress=invalid)
    if isinstance(error, _UNSENDABLE):
        return Outcome(Kind.FAILED, "unsendable", detail)
    if isinstance(error, AnymailError):
        return _of_api(error, detail)
    if isinstance(error, smtplib.SMTPResponseException):
        return _of_answer(error, detail)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Outcome(Kind.FAILED, "unsendable", detail)
    if isinstance(error, OSError):  # refused, no such host, timed out: before the body
        return Outcome(Kind.UNAVAILABLE, "unreachable", detail)
    if isinstance(error, ValueError | TypeError | LookupError):
        return Outcome(Kind.FAILED, "unsendable", detail)
    return Outcome(Kind.UNCERTAIN, "unknown_error", detail)


def of_status(status: Iterable[str] | None) -> Outcome:
    """The outcome that a provider's status of the one recipient stands for; SMTP gives none."""
    said = set(status or ())
    if said & {"rejected", "invalid"}:
        return Outcome(Kind.BOUNCED, "refused_by_provider", suppress="invalid" in said)
    if "failed" in said:
        return Outcome(Kind.FAILED, "refused_by_provider")
    return ACCEPTED


# SMTP


def _refused(error: smtplib.SMTPRecipientsRefused) -> Outcome:
    code, answer = next(iter(error.recipients.values()), (550, b""))
    text = _text(answer)
    detail = f"{code} {text}".strip()
    if code == 421:
        return Outcome(Kind.UNAVAILABLE, "unreachable", detail, about_message=True)
    if code < 500:
        return Outcome(Kind.RETRY, "try_later", detail)
    return Outcome(Kind.BOUNCED, "refused", detail, suppress=_blames_address(code, text))


def _blames_address(code: int, text: str) -> bool:
    """Whether a refusal is about the address itself: not a full mailbox, and no policy (4.2)."""
    if enhanced := re.match(r"\s*5\.(\d{1,3})\.(\d{1,3})\b", text):
        subject, what = int(enhanced[1]), int(enhanced[2])
        return subject == 1 or (subject, what) == (2, 1)
    return code in (550, 551, 553, 556)


def _of_answer(error: smtplib.SMTPResponseException, detail: str) -> Outcome:
    """A refusal of the sender or of the mail as a whole: nobody took it."""
    code = error.smtp_code
    if code == 421 and isinstance(error, smtplib.SMTPDataError):
        return Outcome(Kind.UNAVAILABLE, "unreachable", detail, about_message=True)
    if code == 421 or isinstance(error, smtplib.SMTPConnectError | smtplib.SMTPHeloError):
        return Outcome(Kind.UNAVAILABLE, "unreachable", detail)
    if 400 <= code < 500:
        return Outcome(Kind.RETRY, "try_later", detail)
    if isinstance(error, smtplib.SMTPSenderRefused) and code == 530:
        return Outcome(Kind.UNAVAILABLE, "settings", detail)
    if 500 <= code < 600:
        return Outcome(Kind.FAILED, "refused", detail)
    return Outcome(Kind.UNCERTAIN, "unclear_answer", detail)


# Providers' APIs

_NEVER_SENT = ("NewConnectionError", "ConnectTimeoutError", "ConnectTimeout", "NameResolutionError")


def _of_api(error: AnymailError, detail: str) -> Outcome:
    status = error.status_code
    if status is None:
        if any(type(cause).__name__ in _NEVER_SENT for cause in _causes(error)):
            return Outcome(Kind.UNAVAILABLE, "unreachable", detail)
        return Outcome(Kind.UNCERTAIN, "connection_broke", detail)
    if status in (401, 403):
        return Outcome(Kind.UNAVAILABLE, "settings", detail)
    if status == 429:
        return Outcome(Kind.UNAVAILABLE, "too_fast", detail, retry_after=_retry_after(error))
    if 400 <= status < 500:
        return Outcome(Kind.FAILED, "refused_by_provider", detail)
    # A 2xx whose body can't be read was taken all the same; a 5xx may have been.
    return Outcome(Kind.UNCERTAIN, "unclear_answer", detail)


def _causes(error: BaseException) -> list[BaseException]:
    """What an error was made of, also where libraries keep it among the arguments."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 50:
        cause = todo.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            todo += [cause.__cause__, getattr(cause, "reason", None), *cause.args]
    return found


def _retry_after(error: AnymailError) -> timedelta | None:
    value = getattr(error.response, "headers", {}).get("Retry-After", "")
    if str(value).isdigit():
        return timedelta(seconds=min(int(value), 3600))
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    answered = getattr(error.response, "headers", {}).get("Date", "")
    try:
        since = parsedate_to_datetime(answered)
    except (TypeError, ValueError):
        return None
    wait = until.astimezone(UTC) - since.astimezone(UTC)
    return max(timedelta(0), min(wait, timedelta(hours=1)))


# Words


def _text(answer: object) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)


def _detail(error: BaseException) -> str:
    """What was answered, short enough for a row, and without the request that led to it."""
    if isinstance(error, smtplib.SMTPResponseException):
        text = f"{error.smtp_code} {_text(error.smtp_error)}"
    elif isinstance(error, AnymailError) and error.status_code is not None:
        body = getattr(error.response, "text", "")
        text = f"HTTP {error.status_code} {body}"
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:1000]
