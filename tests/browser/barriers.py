"""What keeps people out of a page, as axe finds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.db import connection
from django.urls import NoReverseMatch, reverse

FINISH = """() => document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
    .forEach((one) => one.finish())"""
#: Rows of a kind among which one is looked for that has a page.
ROWS = 3


def in_theme(page: Any, address: str, theme: str) -> None:
    """Open a page of the admin in a theme."""
    page.goto(f"{page.site}/admin/{address}")
    page.evaluate("theme => localStorage.adminTheme = JSON.stringify(theme)", theme)
    page.reload()


def theme() -> str:
    """The theme that pages are looked at in: light on SQLite, dark on PostgreSQL."""
    return "dark" if connection.vendor == "postgresql" else "light"


def barriers(page: Any, where: str) -> dict[str, list[str]]:
    """What axe finds that is serious, by rule, with the first places."""
    page.evaluate(FINISH)  # colours on their way to others have no contrast of their own
    options = {"resultTypes": ["violations"]}
    serious = [
        f"{one['id']}: {one['help']}: {[node['html'][:140] for node in one['nodes'][:3]]}"
        for one in Axe().run(page, options=options).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    return {where: serious} if serious else {}


def pages(page: Any, *models: str) -> list[str]:
    """The pages of the admin that are there for these models (all of them: none named): lists,
    forms, and what a row has besides, such as merging and undoing; each of the first row that has
    it. Files, parts of pages and what leads on at once are left out.
    """
    found: list[str] = []
    for addresses in _addresses(models):
        shown = (address for address in addresses if _is_page(page, address))
        found += islice(shown, 1)
    return found


def _addresses(models: tuple[str, ...]) -> Iterator[list[str]]:
    """Of each kind of page, the addresses that it may have."""
    for model, model_admin in admin.site._registry.items():
        if models and model._meta.label not in models:
            continue
        rows = [row.pk for row in model._default_manager.all()[:ROWS]]
        for pattern in model_admin.get_urls():
            found = []
            for arguments in ([], *([row] for row in rows), *([row, 1] for row in rows)):
                with contextlib.suppress(NoReverseMatch):
                    found.append(reverse(f"admin:{pattern.name}", args=arguments))
            yield [address.removeprefix("/admin/") for address in found]


def _is_page(page: Any, address: str) -> bool:
    answer = page.request.get(f"{page.site}/admin/{address}", max_redirects=0)
    assert answer.status < 500, f"{address}: {answer.status}"
    return (
        answer.status == 200
        and "attachment" not in answer.headers.get("content-disposition", "")
        and answer.headers.get("content-type", "").startswith("text/html")
        and "<html" in answer.text()
    )
