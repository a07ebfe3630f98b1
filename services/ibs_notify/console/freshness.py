"""How old an answer may be that a page is shown: the one place where that is decided.

Who opens a page, or looks at it again after a change, is told how it is now. A page that is open
asks for itself every few seconds, and so do all others: the first of them asks the services, and
what it was told does for those that ask soon after. How soon is a bit less than the time until the
page asks again, so that it sees something new each time. Parts that ask equally often are less than
two of their questions apart. What looks at everything costs the services seconds, and serves
longer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ibs_notify.console.changes import KNOWN

if TYPE_CHECKING:
    from ibs_notify.console.visit import Visit

EVERY: Final = timedelta(seconds=10)
"""So often asks what says how it is now."""
COSTLY_EVERY: Final = timedelta(seconds=20)
"""So often asks what looks at everything, mostly to be told that nothing is new: to write down a
long list for 200 open pages is work, too."""
SHARE: Final = 0.8
"""Of the time between two questions of a page."""
LATELY: Final = EVERY * SHARE
"""What is beside the page, such as the numbers of the sidebar."""
AT_ONCE: Final = timedelta(seconds=1)
"""What several parts of a page are made of, which they ask for together: so they say the same."""
PLACES_EVERY: Final = timedelta(seconds=30)
"""So often asks the list of every datastore and job, which is long and changes seldom."""
COSTLY: Final = timedelta(seconds=50)
"""What looks at everything, also for who opens a page: it says of when it is."""
HISTORY: Final = timedelta(minutes=1)
"""How far back the events go: who writes a rule asks with every word."""
STILL: Final = timedelta(minutes=1)
"""What nobody asked for since is said no more."""


def of_page(visit: Visit, every: timedelta = EVERY) -> timedelta:
    """For a page, or a part of one, that asks for itself ``every`` so often."""
    return every * SHARE if _is_open(visit) else timedelta()


def of_parts(visit: Visit) -> timedelta:
    """For what several parts of a page are made of."""
    return AT_ONCE if _is_open(visit) else timedelta()


def _is_open(visit: Visit) -> bool:
    """Whether a page asks for itself, and not somebody for a page."""
    return KNOWN in visit.request.query
