"""A batch that is refused for its content is halved until the bad one is alone."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.delivery.transports.base import Outcome, OutcomeReason, Verdict
from ibs_notify.delivery.transports.splitting import send_split

OK = Outcome(Verdict.DELIVERED, OutcomeReason.ACCEPTED, 204)
BAD = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 400, "unable to parse")
LATER = Outcome(Verdict.RETRY, OutcomeReason.HTTP_RATE_LIMITED, 429)
UNKNOWN = Outcome(Verdict.REFUSED, OutcomeReason.HTTP_4XX, 401)


def is_content(outcome: Outcome) -> bool:
    return outcome.code == 400


class Server:
    """Takes numbers that are not negative; answers ``instead`` after so many requests."""

    def __init__(self, instead: Outcome = LATER, after: int = 10**6) -> None:
        self.stored: set[int] = set()
        self.requests = 0
        self._instead = instead
        self._after = after

    async def take(self, batch: Sequence[int]) -> Outcome:
        assert batch
        self.requests += 1
        if self.requests > self._after:
            return self._instead
        # As InfluxDB does: the good ones of a refused batch may be written.
        self.stored.update(number for number in batch if number >= 0)
        return BAD if any(number < 0 for number in batch) else OK


@given(st.lists(st.integers(-3, 50), max_size=40))
async def test_only_the_bad_ones_are_refused_wherever_they_stand(numbers: list[int]) -> None:
    server = Server()
    outcomes = await send_split(numbers, server.take, is_content)
    assert outcomes == [BAD if number < 0 else OK for number in numbers]
    assert server.stored == {number for number in numbers if number >= 0}


async def test_a_good_batch_is_one_request_and_a_bad_one_in_500_few() -> None:
    server = Server()
    await send_split(range(500), server.take, is_content)
    assert server.requests == 1
    one_bad = [*range(499), -1]
    await send_split(one_bad, server.take, is_content)
    assert server.requests - 1 <= 2 * 9 + 1  # two for each halving of 500


async def test_what_the_server_wants_later_is_not_asked_of_it_for_the_rest() -> None:
    server = Server(LATER, after=2)
    outcomes = await send_split([1, 2, -1, 4], server.take, is_content)
    assert outcomes == [OK, OK, LATER, LATER]
    assert server.requests == 3


async def test_a_refusal_of_us_holds_for_all() -> None:
    server = Server(UNKNOWN, after=0)
    assert await send_split([1, 2, 3], server.take, is_content) == [UNKNOWN] * 3
    assert server.requests == 1


async def test_of_nothing_nothing_is_sent() -> None:
    server = Server()
    assert await send_split([], server.take, is_content) == []
    assert server.requests == 0
