from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from contacts.clock import now
from messaging import rendering


class Template(models.Model):
    """What a message says, in Liquid: a subject and one or more of text, HTML, MJML, Markdown."""

    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    subject = models.CharField(max_length=500)
    text = models.TextField(blank=True, default="")
    html = models.TextField("HTML", blank=True, default="")
    mjml = models.TextField("MJML", blank=True, default="")
    markdown = models.TextField(blank=True, default="")
    compiled_html = models.TextField(
        blank=True, default="", editable=False, help_text="What MJML or Markdown compiled to."
    )
    resend_uncertain = models.BooleanField(
        "send again when it is uncertain whether it was sent",
        default=False,
        help_text="For transactional mail only: rather twice than not at all.",
    )
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        permissions = [("send_test_template", "Can send test mails to oneself")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save, and compile what is to be compiled. Raises `CompileError` for wrong MJML."""
        self.compiled_html = rendering.compile_html(mjml=self.mjml, markdown=self.markdown)
        if update_fields is not None:
            update_fields = {*update_fields, "compiled_html", "updated_at"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def clean(self) -> None:
        """Refuse what could never be sent; each problem stands at its field."""
        found = rendering.check(
            {name: getattr(self, name) for name in ("subject", *rendering.SOURCES)}
        )
        errors: dict[str, list[str]] = {}
        for problem in found:
            if problem.level == "error":
                errors.setdefault(problem.place, []).append(
                    f"{problem.message} {problem.hint}".strip()
                )
        if errors:
            raise ValidationError(errors)
