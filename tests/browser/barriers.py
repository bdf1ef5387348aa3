"""What keeps people out of a page, as axe finds it."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe


def in_theme(page: Any, address: str, theme: str) -> None:
    """Open a page of the admin in a theme."""
    page.goto(f"{page.site}/admin/{address}")
    page.evaluate("theme => localStorage.adminTheme = JSON.stringify(theme)", theme)
    page.reload()


def barriers(page: Any, where: str) -> dict[str, list[str]]:
    """What axe finds that is serious, by rule, with the first places."""
    page.wait_for_timeout(300)
    options = {"resultTypes": ["violations"]}
    serious = [
        f"{one['id']}: {one['help']}: {[node['html'][:140] for node in one['nodes'][:3]]}"
        for one in Axe().run(page, options=options).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    return {where: serious} if serious else {}
