"""The five severities of an event, in order."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """Ordered: ``Severity.ERROR >= Severity.WARNING``. Values equal those of the protobuf enum."""

    INFO = 1
    NOTICE = 2
    WARNING = 3
    ERROR = 4
    CRITICAL = 5

    @property
    def label(self) -> str:
        """The lower-case word that rules, payloads and people use."""
        return _LABELS[self]

    @classmethod
    def parse(cls, word: str) -> Severity:
        """The severity of a word in any case; ``ValueError`` names the five words."""
        try:
            return cls[word.strip().upper()]
        except KeyError:
            known = ", ".join(_LABELS.values())
            raise ValueError(f"unknown severity {word!r}: one of {known}") from None


_LABELS = {severity: severity.name.lower() for severity in Severity}
