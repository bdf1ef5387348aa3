"""A mail's HTML, shown where it can do nothing: no scripts, no forms, no cookies of ours."""

from __future__ import annotations

from django.http import HttpResponse

POLICY = (
    "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline' https:;"
    " font-src https: data:; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
)
_EMPTY = (
    '<!doctype html><meta name="color-scheme" content="light dark">'
    '<p style="font:15px/1.5 system-ui,sans-serif;color:#7b8794;margin:2rem">{}</p>'
)


def mail(html: str, instead: str = "This mail has no HTML.") -> HttpResponse:
    """The page that stands in a sandboxed frame; ``instead`` where there is no HTML."""
    response = HttpResponse(html or _EMPTY.format(instead))
    response["Content-Security-Policy"] = POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
