"""The checks of settings."""

from __future__ import annotations

from typing import Any

from messaging import checks


def test_mail_needs_a_timeout(settings: Any) -> None:
    assert checks.mail_has_a_timeout(None) == []
    settings.EMAIL_TIMEOUT = None
    assert [problem.id for problem in checks.mail_has_a_timeout(None)] == ["messaging.E001"]


def test_a_provider_s_webhooks_are_missed(settings: Any) -> None:
    assert checks.news_of_the_provider_arrive(None) == []
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {}
    assert [p.id for p in checks.news_of_the_provider_arrive(None)] == ["messaging.W001"]
    settings.ANYMAIL = {"WEBHOOK_SECRET": "a:b"}
    assert checks.news_of_the_provider_arrive(None) == []
