"""One entry in atheris: ``python -m tests.fuzz.entry NAME SECONDS SEED``; a crash is kept."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ibs_notify"]):
    from tests.fuzz.entries import ENTRIES

CRASHES = Path("var/fuzz")
"""What made an entry fail is written here, below its name: give it to the entry again."""


def main(name: str, seconds: str, seed: str) -> None:
    entry = ENTRIES[name]
    kept = CRASHES / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, example in enumerate(entry.examples):
            (Path(corpus) / str(number)).write_bytes(example)
        atheris.Setup(
            [
                sys.argv[0],
                f"-max_total_time={seconds}",
                f"-seed={seed}",
                f"-artifact_prefix={kept}/",
                "-max_len=8192",
                # What takes longer than this for so few bytes is found, too.
                "-timeout=5",
                "-rss_limit_mb=1024",
                "-print_final_stats=1",
                "-verbosity=0",
                corpus,
            ],
            entry.run,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:4])
