"""What every suite shares: the databases, and the rule that a missing peer fails on CI."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import PostgresServer

# A property may be slow on a shared machine; the suite's own timeout ends what hangs.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

ON_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test run's own.

    Not below pytest's directory: that is closed again, by every run, to the user that the server
    runs as where the tests run as root.
    """
    with tempfile.TemporaryDirectory(prefix="ibs-notify-postgres-") as directory:
        server = PostgresServer.start(Path(directory) / "data", syncs=False)
        yield server
        server.stop()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh, empty database."""
    name = f"t{uuid4().hex}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Every test that asks for this runs on both databases."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


def path_of_peer(program: str, package: str) -> str:
    """The path of a program, or a skip that names its Debian package.

    On CI nothing may be missing: there it is a failure.
    """
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        message = f"needs {program} of the Debian package {package} (make peers)"
        if ON_CI:
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture
def need_peer() -> Callable[[str, str], str]:
    """``need_peer("postfix", "postfix")``, as ``path_of_peer``."""
    return path_of_peer
