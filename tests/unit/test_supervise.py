"""How long a service that died must wait, and what is said of it."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from ibs_notify.launcher import supervise
from ibs_notify.launcher.supervise import Death, Supervisor, back_off
from ibs_notify.settings import PROGRAMS

STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""


def test_each_death_in_a_row_waits_twice_as_long_up_to_half_a_minute() -> None:
    assert [back_off(deaths) for deaths in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_service_that_keeps_dying_for_days_still_starts_again() -> None:
    assert back_off(1_000_000) == 30


@pytest.mark.parametrize(
    ("code", "how"), [(-9, "was killed by SIGKILL"), (1, "ended with exit code 1")]
)
def test_a_death_says_how_and_shows_the_last_lines(code: int, how: str) -> None:
    death = Death("router", code, ("first", "last"), delay=1.0)
    assert death.describe() == f"router {how}; its last lines:\n    first\n    last"


async def test_a_service_that_does_not_stop_in_time_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervise, "STOP_SECONDS", 0.05)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STUBBORN), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    await supervise.stop(process)
    assert process.returncode == -signal.SIGKILL


def test_keys_are_inherited_where_secrets_are_opened_and_a_token_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IBS_KEYS", "canary")
    monkeypatch.setenv("IBS_NOTIFY_TOKEN", "canary")
    supervisor = Supervisor(lambda _: None, lambda _: None, key_variable="IBS_KEYS")
    inherited = {each: supervisor.environment(each) for each in PROGRAMS}
    assert {each for each in PROGRAMS if "IBS_KEYS" in inherited[each]} == {"config", "delivery"}
    assert not [each for each in PROGRAMS if "IBS_NOTIFY_TOKEN" in inherited[each]]
    assert "PATH" in inherited["router"]
