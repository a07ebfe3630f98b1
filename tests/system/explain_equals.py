"""Random events, explained and then sent: does what happens differ from what was said?

    python -m tests.system.explain_equals --events 10000 --seed 1

A real Router, configured anew for every 500 events, with silences, windows, limits, scopes and
targets that several groups share. The exit code is 1, and the event is printed, where what
``Emit`` answered is not what ``Explain`` had said of the same event before it was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.explain_equals import Differs, compare, configuration
from tests.support.router import surrounded

_ROUND = 500


async def run(count: int, seed: int) -> Counter[str]:
    """The states of all obligations."""
    states: Counter[str] = Counter()
    for number, start in enumerate(range(0, count, _ROUND)):
        rng = random.Random(f"{seed}/{number}")
        with tempfile.TemporaryDirectory(prefix="ibs-explain-") as home:
            async with surrounded(Path(home), *configuration(rng)) as around:
                compared = await compare(around, rng, min(_ROUND, count - start))
        states.update(compared.states)
        print(f"{start + compared.events:>8,} events: {dict(states)}", flush=True)
    return states


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    try:
        states = asyncio.run(run(given.events, given.seed))
    except Differs as error:
        print(f"what was said is not what happened:\n{error}")
        return 1
    print(f"{given.events:,} events: what was said is what happened; {dict(states)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
