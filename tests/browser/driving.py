"""A marketer at the builder, by mouse or by keyboard alone: the same moves by other means."""

from __future__ import annotations

import json
from typing import Any


class Mouse:
    """Points and clicks."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, selector: str) -> None:
        self.page.locator(selector).first.click()

    def fill(self, selector: str, text: str) -> None:
        self.page.locator(selector).first.fill(text)

    def choose(self, selector: str, value: str) -> None:
        self.page.locator(selector).first.select_option(value)

    def tick(self, selector: str) -> None:
        self.page.locator(selector).first.check()

    def plus(self, selector: str) -> None:
        self.press(f".jb-plus{selector}")

    def pick(self, words: str) -> None:
        self.press(f'.jb-option:has(strong:text-is("{words}"))')


class Keyboard:
    """Tab, arrows, Enter and Space; the mouse is unplugged."""

    MOST = 400

    def __init__(self, page: Any) -> None:
        self.page = page

    def go(self, selector: str, key: str = "Tab") -> None:
        """Go on until what is wanted has the focus."""
        self.page.wait_for_selector(selector, state="attached")
        for _ in range(self.MOST):
            if self.page.evaluate("s => document.activeElement?.matches(s) ?? false", selector):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{selector} can't be reached by {key}.")

    def press(self, selector: str) -> None:
        self.go(selector)
        self.page.keyboard.press("Enter")

    def fill(self, selector: str, text: str) -> None:
        self.go(selector)
        self.page.keyboard.press("Control+A")
        if text:
            self.page.keyboard.insert_text(text)
        else:
            self.page.keyboard.press("Delete")

    def choose(self, selector: str, value: str) -> None:
        self.go(selector)
        self.page.keyboard.press("Home")
        for _ in range(self.MOST):
            if self.page.evaluate("document.activeElement.value") == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{selector} does not offer {value}.")

    def tick(self, selector: str) -> None:
        kind, group, checked = self.page.eval_on_selector(
            selector, "one => [one.type, one.name, one.checked]"
        )
        if kind == "checkbox":
            self.go(selector)
            if not checked:
                self.page.keyboard.press("Space")
            return
        self.go(f'input[name="{group}"]')
        self.page.keyboard.press("Space")
        for _ in range(10):
            if self.page.eval_on_selector(selector, "one => one.checked"):
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{selector} can't be chosen.")

    def plus(self, selector: str) -> None:
        """To the map by Tab, to the plus by arrows, wherever on the map one comes in."""
        self.go(".jb-card, .jb-plus")
        self._walk(f".jb-plus{selector}")

    def _on(self, selector: str) -> bool:
        return bool(self.page.evaluate("s => document.activeElement.matches(s)", selector))

    def _walk(self, selector: str) -> None:
        """Look for it as one does who looks at the map: steer towards where it is."""
        for _ in range(60):
            if self._on(selector):
                self.page.keyboard.press("Enter")
                return
            keys = self.page.evaluate(
                """s => {
                    const middle = (one) => {
                        const box = one.getBoundingClientRect();
                        return [box.left + box.width / 2, box.top + box.height / 2];
                    };
                    const a = middle(document.activeElement);
                    const b = middle(document.querySelector(s));
                    const [x, y] = [b[0] - a[0], b[1] - a[1]];
                    const across = x > 0 ? "ArrowRight" : "ArrowLeft";
                    const down = y > 0 ? "ArrowDown" : "ArrowUp";
                    return Math.abs(y) > Math.abs(x) ? [down, across] : [across, down];
                }""",
                selector,
            )
            before = self.page.evaluate("document.activeElement.id")
            for key in keys:
                self.page.keyboard.press(key)
                if self.page.evaluate("document.activeElement.id") != before:
                    break
            else:
                break
        raise AssertionError(f"{selector} can't be reached by arrows.")

    def pick(self, words: str) -> None:
        self.fill("[data-search]", words)
        self.page.keyboard.press("Enter")


class Marketer:
    """Builds journeys with either hand."""

    def __init__(self, page: Any, hand: Mouse | Keyboard) -> None:
        self.page, self.hand = page, hand

    def open(self, address: str) -> None:
        self.page.goto(f"{self.page.site}/admin/{address}")

    def ready(self) -> None:
        """Wait until the map is there."""
        self.page.wait_for_selector("[data-builder][data-ready]", state="attached")

    def saved(self) -> None:
        """Wait until the draft is saved."""
        self.page.wait_for_function(
            """() => { const b = document.querySelector("[data-builder]").builder;
            return !b.saving && !b.dirty && !b.saveSoon.waits() && !b.wanted; }"""
        )

    def draft(self) -> Any:
        """The draft as it is saved."""
        self.saved()
        return self.page.evaluate("document.querySelector('[data-builder]').builder.draft")

    def new(self, name: str) -> None:
        """An empty map with the panel of its start."""
        self.open("journeys/journey/add/")
        self.hand.fill("#start-name", name)
        self.hand.press('form[action$="/add/empty/"] button[type=submit]')
        self.ready()
        self.page.wait_for_selector("#jb-panel-title")

    def as_json(self, inside: str, value: Any) -> None:
        """Write a condition as JSON, in the editor that stands in ``inside``."""
        self.page.wait_for_selector(f"{inside} .ce-toggle", state="attached")
        if not self.page.locator(f"{inside} .ce-whole").count():
            self.hand.press(f"{inside} .ce-toggle")
        self.hand.fill(f"{inside} .ce-whole", json.dumps(value))
        self.page.keyboard.press("Tab")

    def add(self, plus: str, kind: str) -> str:
        """A new step on a line; its key."""
        self.saved()
        self.hand.plus(plus)
        self.page.wait_for_selector("[data-palette][open]")
        self.hand.pick(kind)
        self.page.wait_for_selector(f'.jb-panel h2:text-is("{kind}")')
        self.saved()
        return str(self.page.evaluate("document.querySelector('[data-builder]').builder.panel.key"))

    def template(self, name: str) -> None:
        """Choose what the send whose panel is open sends, by its name."""
        self.hand.press("#jb-template")
        self.page.wait_for_selector("[data-mails][open]")
        self.hand.fill("[data-mails] [data-search]", name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(f'[data-picked]:text-is("{name}")')

    def name(self, key: str) -> None:
        """Give the step whose panel is open another key."""
        self.hand.fill("#jb-key", key)
        self.page.keyboard.press("Tab")
        self.page.wait_for_selector(f"#jb-card-{key}")
        self.saved()
