"""Templates to responses: the filters that templates use, parts of pages, and their headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web
from google.protobuf.timestamp_pb2 import Timestamp
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ibs_notify.console.assets import Assets
from ibs_notify.console.changes import knowing
from ibs_notify.console.events import told
from ibs_notify.console.login.cookies import theme_of
from ibs_notify.console.navigation import NAVIGATION
from ibs_notify.console.wording import words
from ibs_notify.console.wording.field_names import field_name
from ibs_notify.console.wording.form_words import advice, sentence, worded
from ibs_notify.domain.catalogue import DELIVERY_DEAD_TYPE
from ibs_notify.domain.clock import Clock, in_zone
from ibs_notify.domain.text_search import pieces
from ibs_notify.domain.time_zone import zone_of
from ibs_notify.rpc.convert import is_moment, moment_from_proto

_DOTS = re.compile(r"~*\.{1,2}")


class Renderer:
    """``response`` renders a template of ``console/templates``."""

    def __init__(self, assets: Assets, clock: Clock) -> None:
        self._clock = clock
        self.time_zone = "UTC"
        """The installation's, for the exact times."""
        self._environment = Environment(
            loader=PackageLoader("ibs_notify.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            when=self.when,
            exact=self.exact,
            at=self.at,
            clock=self.clock,
            iso=iso,
            link=safe_link,
            segment=segment,
            zip=zip,
            pieces=pieces,
            worded=worded,
            knowing=knowing,
            sentence=sentence,
            advice=advice,
            field_name=field_name,
            sent=told.sent_of,
            as_sent=told.unknown,
            kept_back=told.kept_back,
            **words.FILTERS,
        )
        self._environment.globals.update(
            asset=assets.url,
            navigation=NAVIGATION,
            query=query,
            most_sent=told.MOST_OF_EVENT,
            delivery_dead=DELIVERY_DEAD_TYPE,
            now=clock.now,
            theme_of=theme_of,
        )

    def now(self) -> datetime:
        """What relative times are relative to."""
        return self._clock.now()

    def use_zone(self, name: str) -> None:
        """Tell times in that zone; one that this machine does not know changes nothing."""
        with suppress(ZoneInfoNotFoundError, ValueError):
            self.time_zone = ZoneInfo(name or "UTC").key

    def response(
        self, template: str, values: Mapping[str, Any], *, block: str = "", status: int = 200
    ) -> web.Response:
        """The page, or of it only the Jinja block that ``block`` names."""
        found = self._environment.get_template(template)
        if block:
            text = "".join(found.blocks[block](found.new_context(dict(values))))
        else:
            text = found.render(values)
        response = web.Response(text=text, status=status, content_type="text/html")
        response.headers["Vary"] = "Cookie, HX-Request"
        response.enable_compression()
        return response

    def when(self, stamp: Timestamp | datetime | None) -> Markup:
        """A moment, relative, with the exact one on hover; nothing for one that is not set."""
        moment = moment_of(stamp)
        if moment is None:
            return Markup()
        text = words.relative(moment - self._clock.now())
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            moment.isoformat(), self.exact(moment), text
        )

    def at(self, stamp: Timestamp | datetime | None) -> Markup:
        """A moment to the minute, ``27 Nov 21:23``, with the exact one on hover."""
        moment = moment_of(stamp)
        if moment is None:
            return Markup()
        zone = zone_of(self.time_zone)
        local, today = in_zone(moment, zone), in_zone(self._clock.now(), zone)
        year = "" if local.year == today.year else f" {local.year}"
        return Markup('<span class="nowrap" title="{}">{}</span>').format(
            self.exact(moment), f"{local.day} {local:%b}{year} {local:%H:%M}"
        )

    def clock(self, stamp: Timestamp | datetime | None) -> Markup:
        """A moment of today as ``21:23``, another as ``at`` has it."""
        moment = moment_of(stamp)
        if moment is None:
            return Markup()
        zone = zone_of(self.time_zone)
        local = in_zone(moment, zone)
        if local.date() != in_zone(self._clock.now(), zone).date():
            return self.at(moment)
        return Markup('<span class="nowrap" title="{}">{:%H:%M}</span>').format(
            self.exact(moment), local
        )

    def exact(self, stamp: Timestamp | datetime | None) -> str:
        """A moment with its zone: ``2026-11-27 19:12:03 Europe/Vienna``."""
        moment = moment_of(stamp)
        if moment is None:
            return ""
        local = in_zone(moment, zone_of(self.time_zone))
        return f"{local:%Y-%m-%d %H:%M:%S} {self.time_zone}"


def moment_of(stamp: Timestamp | datetime | None) -> datetime | None:
    """None for a stamp that is not set."""
    if stamp is None or isinstance(stamp, datetime):
        return stamp
    if not (stamp.seconds or stamp.nanos) or not is_moment(stamp):
        return None
    return moment_from_proto(stamp)


def iso(stamp: Timestamp | datetime | None) -> str:
    """ISO 8601 in UTC, or nothing."""
    moment = moment_of(stamp)
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def iso_exact(stamp: Timestamp | datetime | None) -> str:
    """As ``iso``, with the fraction where there is one: what a command is to be given."""
    moment = moment_of(stamp)
    return "" if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def safe_link(url: str) -> str:
    """``url`` where a browser may be led there; else nothing. What events hold is anybody's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname else ""


def segment(text: str) -> str:
    """``text`` as one segment of a path, whatever is in it; ``named`` is the way back.

    Browsers take ``.`` and ``..`` for steps in the path, however they are spelled.
    """
    return quote(f"~{text}" if _DOTS.fullmatch(text) else text, safe="")


def named(segment: str) -> str:
    """What a segment of a path that was asked for stands for."""
    is_marked = segment.startswith("~") and _DOTS.fullmatch(segment)
    return segment[1:] if is_marked else segment


def query(path: str, /, **values: Any) -> str:
    """``path`` with those values that are not empty as its query; a list gives several."""
    given = [
        (name, str(each))
        for name, value in values.items()
        for each in (value if isinstance(value, list | tuple) else [value])
        if each not in ("", None, False)
    ]
    return f"{path}?{urlencode(given)}" if given else path
