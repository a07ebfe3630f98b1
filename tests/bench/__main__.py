"""``python -m tests.bench [--rounds N] [--only NAME …]``: our figures as ratios to floors.

The machines are noisy: only ratios within one run count. Each is the median of interleaved rounds.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence

from tests.bench import (
    accepting,
    authentication,
    digests,
    encrypted,
    idle,
    inbox,
    ingest,
    isolation,
    matching,
    outbound,
    points,
    resources,
    through,
)
from tests.bench.lines import HEADING, Line, Note

BENCHES: dict[str, Callable[[int], Sequence[Line | Note]]] = {
    "match": matching.matching,
    "emit": ingest.emit,
    "tls": encrypted.emit,
    "accept": accepting.batches,
    "who": authentication.who_calls,
    "storage": ingest.storage,
    "webhook": outbound.webhook,
    "mail": outbound.mail,
    "influxdb": points.influxdb,
    "through": through.webhooks,
    "idle": idle.webhook,
    "isolation": isolation.targets,
    "inbox": inbox.on_sqlite,
    "inbox-postgresql": inbox.on_postgresql,
    "digest": digests.of_100_000_events,
    "resources": resources.start_and_memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(BENCHES), default=list(BENCHES))
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, {options.rounds} rounds")
    print(HEADING)
    for name in options.only:
        for line in BENCHES[name](options.rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
