"""Who does a task: with the mouse, or with the keyboard alone; a scenario is for both."""

from __future__ import annotations

import re
from typing import Protocol

from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import settle

MOST_STEPS = 150
"""So far is no control from where the focus is."""


class Hands(Protocol):
    """Each act begins where the last one ended. Names and texts are those that the page shows."""

    name: str
    page: Page

    def open(self, url: str) -> None:
        """Load a page anew, by its address."""

    def press(self, wanted: Locator) -> None:
        """A link, a button or a summary."""

    def write(self, field: Locator, text: str) -> None:
        """Instead of what stands there."""

    def choose(self, select: Locator, option: str) -> None:
        """By the beginning of its text."""

    def tick(self, box: Locator) -> None:
        """A checkbox or a radio button that is not ticked."""

    def menu(self, entry: str) -> None:
        """To another page of the sidebar."""


class Mouse:
    """Points and clicks."""

    name = "clicking"

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, url: str) -> None:
        self.page.goto(url)
        settle(self.page)

    def press(self, wanted: Locator) -> None:
        wanted.wait_for()
        self.page.wait_for_load_state()  # its scripts listen
        wanted.click()

    def write(self, field: Locator, text: str) -> None:
        field.fill(text)

    def choose(self, select: Locator, option: str) -> None:
        texts = select.locator("option").all_inner_texts()
        select.select_option(label=next(each for each in texts if each.startswith(option)))

    def tick(self, box: Locator) -> None:
        # Its label is there also where the box itself is not to be seen.
        label = self.page.locator(f"label[for='{box.get_attribute('id')}']")
        (label if label.count() else box).click()
        expect(box).to_be_checked()

    def menu(self, entry: str) -> None:
        _entry(self.page, entry).click()
        settle(self.page)


class Keys:
    """Tab, Shift+Tab, arrows, Enter, Space and letters; nothing else touches the page."""

    name = "keyboard"

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, url: str) -> None:
        self.page.goto(url)
        settle(self.page)
        self.skip()

    def skip(self) -> None:
        """Past the menu, where the page has not put the focus into its first field itself."""
        if not self.is_lost:
            return
        self.keys("Tab")
        skip = self.page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        self.keys("Enter")
        expect(self.page.locator("main")).to_be_focused()

    def press(self, wanted: Locator) -> None:
        self.go_to(wanted)
        self.keys("Enter")

    def write(self, field: Locator, text: str) -> None:
        self.go_to(field)
        self.keys("ControlOrMeta+a", "Delete")
        self.type(text)

    def choose(self, select: Locator, option: str) -> None:
        self.go_to(select)
        self.type(option)
        expect(select.locator("option:checked")).to_have_text(re.compile(f"^{re.escape(option)}"))

    def tick(self, box: Locator) -> None:
        # Of radio buttons one is a stop, and arrows lead on from it.
        if box.get_attribute("type") == "radio":
            name = box.get_attribute("name")
            self.go_to(self.page.locator(f"input[type=radio][name='{name}']:checked"))
            while not self._is_there(box):
                self.keys("ArrowDown")
        else:
            self.go_to(box)
            self.keys("Space")
        expect(box).to_be_checked()

    def menu(self, entry: str) -> None:
        self.press(_entry(self.page, entry))
        settle(self.page)

    def keys(self, *keys: str) -> None:
        """One after the other, each by its name."""
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Letter by letter, wherever the focus is."""
        self.page.keyboard.type(text)

    def go_to(self, wanted: Locator) -> None:
        """By Tab, or back by Shift+Tab, until the focus is there and is to be seen."""
        expect(wanted).to_have_count(1)
        expect(wanted).to_be_visible()
        self.page.wait_for_load_state()  # its scripts listen
        for _ in range(MOST_STEPS):
            way = wanted.evaluate(_WAY)
            if not way:
                return
            self.keys(way)
        raise AssertionError(f"the Tab key does not lead to {wanted}")

    @property
    def is_lost(self) -> bool:
        """Whether nothing has the focus."""
        return bool(
            self.page.evaluate("() => [document.body, null].includes(document.activeElement)")
        )

    def _is_there(self, wanted: Locator) -> bool:
        return bool(wanted.evaluate("each => each === document.activeElement"))


_WAY = """each => {
  const at = document.activeElement;
  if (each === at) return "";
  return at.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING ? "Shift+Tab" : "Tab";
}"""


def _entry(page: Page, title: str) -> Locator:
    """Beside some entries of the sidebar is a number."""
    navigation = page.get_by_role("navigation", name="Main")
    return navigation.get_by_role("link", name=re.compile(rf"^{re.escape(title)}\b"))
