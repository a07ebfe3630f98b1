"""Where an expression may stand in an HTML template.

Escaping protects element content and quoted attributes. In a script, a style, an unquoted
attribute, a tag's name or an address it does not, so those places are refused, or need ``|link``.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from ibs_notify.templates.faults import Place

_EXPRESSION: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TAG_OR_COMMENT: Final = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_MARK: Final = "jx7mark"
_MARKED: Final = re.compile(_MARK + r"(\d+)z")
_ADDRESSES: Final = frozenset({"href", "src", "action", "formaction", "background", "poster"})
_CODE: Final = frozenset({"script", "style"})


def check_places(text: str, place: Place) -> None:
    """Raise InvalidArgument for an expression in a place where escaping would not protect."""
    expressions = list(_EXPRESSION.finditer(text))
    numbers = iter(range(len(expressions)))
    marked = _EXPRESSION.sub(lambda _: f"{_MARK}{next(numbers)}z", text)
    places = _Places([match[0] for match in expressions])
    places.feed(_TAG_OR_COMMENT.sub("", marked))
    places.close()
    for index, message, advice in places.faults:
        raise place.refuse(expressions[index].start(), message, advice)


class _Places(HTMLParser):
    """Collects (expression's index, message, advice) for each bad place, in order."""

    def __init__(self, expressions: list[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[tuple[int, str, str]] = []
        self._expressions = expressions
        self._code = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code = tag if tag in _CODE else self._code
        self._refuse(tag, "a tag's name", "write the tag out")
        whole = self.get_starttag_text() or ""
        for name, value in attrs:
            self._refuse(name, "an attribute's name", 'put it into quotes: title="{{ … }}"')
            if value is not None:
                self._check_attribute(name, value, whole)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self._refuse(tag, "a tag's name", "write the tag out")
        if tag == self._code:
            self._code = ""

    def handle_data(self, data: str) -> None:
        if self._code:
            self._refuse(data, f"<{self._code}>", "put the value into the text of the mail")

    def handle_comment(self, data: str) -> None:
        self._refuse(data, "a comment", "take it out of <!-- -->")

    def handle_decl(self, decl: str) -> None:
        self._refuse(decl, "a declaration", "write <!doctype html>")

    def _check_attribute(self, name: str, value: str, whole: str) -> None:
        for match in _MARKED.finditer(value):
            if name == "style" or name.startswith("on") or name == "srcdoc":
                self._refuse(match[0], f"the attribute {name}", "choose with {% if %} instead")
            elif re.search(rf"=\s*[^\s\"'>]*{match[0]}", whole) and not _quoted(whole, match[0]):
                self._refuse(match[0], "an attribute without quotes", f'write {name}="{{{{ … }}}}"')
            elif name in _ADDRESSES and match.start() == 0:
                expression = self._expressions[int(match[1])]
                if re.search(r"\|\s*link\s*-?\}\}$", expression) is None:
                    self._refuse(
                        match[0],
                        f"the start of {name}",
                        f'write {name}="{{{{ event.task_url|link }}}}"',
                    )

    def _refuse(self, text: str, where: str, advice: str) -> None:
        for match in _MARKED.finditer(text):
            self.faults.append((int(match[1]), f"an expression may not stand in {where}", advice))


def _quoted(whole: str, mark: str) -> bool:
    return re.search(rf"=\s*(\"[^\"]*{mark}|'[^']*{mark})", whole) is not None
