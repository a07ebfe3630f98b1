"""An installation as in production, with a console that asks who comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ironcore.notification.v1 import config_service_pb2 as config_pb
from ironcore.notification.v1.token_pb2 import ROLE_ADMINISTRATOR, Token
from tests.browser.console_process import Console, running_console
from tests.system.installation import CALL_SECONDS
from tests.system.secured_installation import SecuredInstallation


@dataclass(frozen=True, slots=True)
class Secured:
    """``secret`` is an administrator's token."""

    console: Console
    secret: str

    def zone(self) -> str:
        """The setting that attackers want to change."""
        answer = self.console.installation.config.GetSettings(
            config_pb.GetSettingsRequest(), timeout=CALL_SECONDS
        )
        return answer.settings.time_zone


@contextmanager
def running_secured(home: Path) -> Iterator[Secured]:
    """Services and console, until the block ends."""
    home.mkdir()
    with SecuredInstallation(home) as installation:
        installation.start_and_wait()
        request = config_pb.CreateTokenRequest(token=Token(name="ann", role=ROLE_ADMINISTRATOR))
        secret = installation.config.CreateToken(request, timeout=CALL_SECONDS).secret
        with running_console(installation) as console:
            yield Secured(console, secret)
