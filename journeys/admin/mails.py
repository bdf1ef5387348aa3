"""Templates at the map: chosen by what they look like, made and edited without leaving it."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import slugify
from django.views.decorators.clickjacking import xframe_options_sameorigin

from contacts.clock import now
from messaging import rendering, samples
from messaging.admin import frames
from messaging.admin.templates import FORMATS, format_of
from messaging.models import Template

MADE_IN = "markdown"
_TEXT = (
    '<!doctype html><meta name="color-scheme" content="light">'
    '<pre style="margin:1rem;font:14px/1.6 system-ui,sans-serif;white-space:pre-wrap;'
    'overflow-wrap:anywhere">{}</pre>'
)


class Mails:
    """What the map asks about templates, for one ModelAdmin."""

    def __init__(self, model_admin: Any) -> None:
        self.admin = model_admin

    def urls(self) -> list[URLPattern]:
        """Their addresses, beneath the journeys'."""
        wrap: Callable[..., Any] = self.admin.admin_site.admin_view
        return [
            path("template/", wrap(self.write), name="journeys_journey_template"),
            path("preview/", wrap(self.preview), name="journeys_journey_preview"),
            path("preview/mail/", wrap(self.frame), name="journeys_journey_mail"),
        ]

    @staticmethod
    def addresses() -> dict[str, str]:
        """The same addresses as the browser is told them."""
        return {
            name: reverse(f"admin:journeys_journey_{name}")
            for name in ("template", "preview", "mail")
        }

    def write(self, request: HttpRequest) -> HttpResponseBase:
        """Make a template, or with ``slug`` change one.

        ``{slug, name, subject, body}`` in; ``{slug, name, subject}`` out, or 400 with ``problems``
        by field.
        """
        sent = _sent(request)
        name, subject, body = (
            str(sent.get(key) or "").strip() for key in ("name", "subject", "body")
        )
        template = self._written(request, str(sent.get("slug") or ""), name)
        source = format_of(template) if template.pk else MADE_IN
        problems = _missing(name, subject, body)
        if not template.pk and name and (not template.slug or _is_taken(template.slug)):
            problems["name"] = f"There is a template called “{name}” already."
        if template.pk and source == "text":
            body = str(sent.get("body") or "")
        if not problems:
            template.name, template.subject = name[:200], subject[: rendering.MAX_SUBJECT]
            setattr(template, source, body)
            problems = _wrong(template)
        if problems:
            return JsonResponse({"problems": problems}, status=400)
        template.save()
        return JsonResponse(
            {"slug": template.slug, "name": template.name, "subject": template.subject}
        )

    @staticmethod
    def _written(request: HttpRequest, slug: str, name: str) -> Template:
        """The template that is changed, or a new one. Raises `PermissionDenied` and `Http404`."""
        need = "messaging.change_template" if slug else "messaging.add_template"
        if not request.user.has_perm(need):
            raise PermissionDenied
        if not slug:
            return Template(slug=slugify(name)[:100])
        template = Template.objects.filter(slug=slug).first()
        if template is None:
            raise Http404
        return template

    def preview(self, request: HttpRequest) -> HttpResponseBase:
        """A template's subject as somebody would get it, and what an editor of it starts from."""
        template = _chosen(request)
        if template is None:
            return JsonResponse({})
        found = samples.preview(template, None, transactional=False, now=now())
        source = format_of(template)
        return JsonResponse(
            {
                "name": template.name,
                "subject": found.rendered.subject if found.rendered else template.subject,
                "problems": [problem.message for problem in found.problems],
                "edit": reverse("admin:messaging_template_change", args=[template.pk])
                if request.user.has_perm("messaging.change_template")
                else "",
                "source": {
                    "name": template.name,
                    "subject": template.subject,
                    "body": getattr(template, source),
                    "format": dict(FORMATS)[source],
                },
            }
        )

    @xframe_options_sameorigin
    def frame(self, request: HttpRequest) -> HttpResponse:
        """The mail, for a sandboxed frame."""
        template = _chosen(request)
        mail = None
        if template is not None:
            mail = samples.preview(template, None, transactional=False, now=now()).rendered
        html = mail.html or _TEXT.format(escape(mail.text)) if mail else ""
        return frames.mail(html, "This template can't be shown before its problems are solved.")


def _chosen(request: HttpRequest) -> Template | None:
    if not request.user.has_perm("messaging.view_template"):
        raise PermissionDenied
    return Template.objects.filter(slug=request.GET.get("template", "")).first()


def _is_taken(slug: str) -> bool:
    return Template.objects.filter(slug=slug).exists()


def _missing(name: str, subject: str, body: str) -> dict[str, str]:
    said = {
        "name": (name, "Give the template a name."),
        "subject": (subject, "Give the mail a subject."),
        "body": (body, "Write what the mail says."),
    }
    return {key: words for key, (value, words) in said.items() if not value}


def _wrong(template: Template) -> dict[str, str]:
    """What keeps a template from being sent, by the field of the small form."""
    fields = {name: getattr(template, name) for name in ("subject", *rendering.SOURCES)}
    found: dict[str, list[str]] = {}
    for problem in rendering.check(fields):
        if problem.level == "error":
            place = "subject" if problem.place == "subject" else "body"
            found.setdefault(place, []).append(f"{problem.message} {problem.hint}".strip())
    return {place: " ".join(said) for place, said in found.items()}


def _sent(request: HttpRequest) -> dict[str, Any]:
    if request.method != "POST":
        raise Http404
    try:
        sent = json.loads(request.body)
    except (ValueError, RecursionError):
        sent = None
    return sent if isinstance(sent, dict) else {}
