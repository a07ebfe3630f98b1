"""The way of the Tab key through a page: where it leads, what it shows, and that it ends."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from playwright.sync_api import Page

_MOST = 3
"""So many presses for each control: a date is a stop for each of its parts."""
_WATCH = """() => {
  const isClear = colour => colour === "transparent" || colour.endsWith(", 0)");
  const say = each => each.outerHTML.replace(/\\s+/g, " ").slice(0, 140);

  // The mark may be drawn by the label of a box that is itself not to be seen.
  const isMarked = each => [each, ...(each.labels ?? [])].some(drawn => {
    const { outlineStyle, outlineColor, outlineWidth } = getComputedStyle(drawn);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && !isClear(outlineColor)
      && !drawn.matches(".visually-hidden");
  });

  // Not outside of what is scrolled to, and not below what is fixed.
  const isInSight = (each, box) => {
    if (each.matches(".visually-hidden")) return true;
    if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0) return false;
    const inside = (at, most) => Math.min(Math.max(at, 0), most - 1);
    const top = document.elementFromPoint(
      inside(box.left + box.width / 2, innerWidth),
      inside(box.top + Math.min(box.height / 2, 12), innerHeight));
    return top === null || each.contains(top) || top.contains(each);
  };

  const isControl = each =>
    each.tabIndex >= 0 && !each.disabled && !each.closest("[inert]")
    && each.matches("a[href], button, input, select, textarea, summary, [tabindex]")
    && each.checkVisibility({ visibilityProperty: true });
  // Of radio buttons one is a stop.
  const isStop = each => isControl(each) && (each.type !== "radio" || each.checked
    || ![...document.getElementsByName(each.name)].some(other => other.checked));

  const expected = [...document.querySelectorAll("*")].filter(isStop);
  const placeOf = each => expected.findIndex(other => other === each
    || each.type === "radio" && other.type === "radio" && other.name === each.name);
  // What is in a list that scrolls by itself is where that list is.
  const frameOf = each => {
    for (let at = each.parentElement; at && at !== document.body; at = at.parentElement) {
      const scrolls = ["auto", "scroll"].includes(getComputedStyle(at).overflowY);
      if (scrolls && at.scrollHeight > at.clientHeight) return at;
    }
    return each;
  };
  const stops = [];
  window.__walk?.end.abort();
  const end = new AbortController();
  document.addEventListener("focusin", ({ target }) => {
    const [line] = target.getClientRects();
    const box = target.getBoundingClientRect();
    const frame = frameOf(target).getBoundingClientRect();
    stops.push({
      what: say(target), place: placeOf(target),
      isMarked: isMarked(target), isInSight: isInSight(target, line ?? box),
      isBeside: Boolean(target.closest(".sidebar, .skip")),
      left: frame.left, right: frame.right,
      top: frame.top + scrollY, bottom: frame.bottom + scrollY,
    });
  }, { signal: end.signal });
  window.__walk = { stops, expected, end };
  return expected.length;
}"""
_REACHED = """() => new Set(
  __walk.stops.map(stop => stop.place).filter(place => place >= 0)).size"""
"""Without what came meanwhile, such as the events beside a rule that is looked at."""
_WALKED = "() => ({ stops: __walk.stops, all: __walk.expected.map(each => each.outerHTML) })"


def faults_of_focus(page: Page) -> list[str]:
    """What is wrong for who walks through ``page`` by the Tab key alone.

    Each stop is marked and in sight, below or right of the one before; every control is one.
    """
    count = page.evaluate(_WATCH)
    pressed = 0
    while page.evaluate(_REACHED) < count and pressed < count * _MOST:
        for _ in range(max(1, count - pressed)):
            page.keyboard.down("Tab")  # held, it goes on and on
            pressed += 1
    page.keyboard.up("Tab")
    walk = page.evaluate(_WALKED)
    stops = walk["stops"]
    reached = {stop["place"] for stop in stops}
    return [
        *(f"not marked: {stop['what']}" for stop in stops if not stop["isMarked"]),
        *(f"out of sight: {stop['what']}" for stop in stops if not stop["isInSight"]),
        *(
            f"never reached: {each[:140]}"
            for place, each in enumerate(walk["all"])
            if place not in reached
        ),
        *(
            f"goes back: {before['what']} -> {after['what']}"
            for before, after in pairwise(stops)
            if before["place"] < after["place"] and not _follows(before, after)
        ),
    ]


def _follows(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether eyes find ``after`` where they look next: below, right of it, or within it."""
    if before["isBeside"] != after["isBeside"]:
        return True
    is_right = after["left"] >= before["right"] - 2
    return bool(is_right or after["bottom"] > before["top"])
