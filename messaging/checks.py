"""Settings without which messages could be lost from sight or a worker could hang."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def mail_has_a_timeout(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """A server that never answers must not hold a worker for ever."""
    if settings.EMAIL_TIMEOUT:
        return []
    return [
        Error(
            "EMAIL_TIMEOUT is not set, so a mail server that never answers would be waited for"
            " without end.",
            hint="Set it to a number of seconds, such as 10.",
            id="messaging.E001",
        )
    ]


@register(deploy=True)
def news_of_the_provider_arrive(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """Without webhooks nobody learns of bounces and complaints, and doubts are never settled."""
    anymail = settings.EMAIL_BACKEND.startswith("anymail.")
    if not anymail or settings.ANYMAIL.get("WEBHOOK_SECRET"):
        return []
    return [
        Warning(
            "Mail goes out through a provider whose webhooks are not accepted.",
            hint="Set ANYMAIL_WEBHOOK_SECRET and enter the webhook's address at the provider.",
            id="messaging.W001",
        )
    ]
