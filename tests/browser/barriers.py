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
from playwright.sync_api import Error

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


def pages(page: Any, *models: str) -> Iterator[str]:
    """Open the pages of the admin that are there for these models (all of them: none named), one
    by one, and yield the address of each while it is shown: lists, forms, and what a row has
    besides, such as merging and undoing; each of the first row that has it. Files, parts of pages
    and what leads on at once are left out.
    """
    for addresses in _addresses(models):
        shown = (address for address in addresses if _is_page(page, address))
        yield from islice(shown, 1)


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
    """Open an address; say whether a whole page stands there, and no other than asked for."""
    answers: list[Any] = []

    def keep(answer: Any) -> None:
        if answer.request.is_navigation_request() and answer.frame == page.main_frame:
            answers.append(answer)

    page.on("response", keep)
    try:
        page.goto(f"{page.site}/admin/{address}")
    except Error:  # a file, which is saved and not shown
        pass
    finally:
        page.remove_listener("response", keep)
    (answer, *more) = answers
    assert answer.status < 500, f"{address}: {answer.status}"
    return (
        answer.status == 200
        and not more
        and answer.headers.get("content-type", "").startswith("text/html")
        and "content-disposition" not in answer.headers
        and "<html" in answer.text()
    )
