"""An installation with TLS and authentication; its stubs are the administrator's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import grpc

from ibs_notify.rpc.peer import dns_name
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceStub
from ironcore.notification.v1.delivery_service_pb2_grpc import DeliveryServiceStub
from ironcore.notification.v1.router_service_pb2_grpc import RouterServiceStub
from tests.support.certificates import Certificates
from tests.system.installation import CHANNEL_OPTIONS, Installation, free_port


class SecuredInstallation(Installation):
    """As ``Installation``, with certificates of its own in ``HOME/tls``."""

    def __init__(self, home: Path, extra: Mapping[str, str] | None = None) -> None:
        self._peers = {name: f"127.0.0.1:{free_port()}" for name in SERVICES}
        peers = {
            f"IBS_NOTIFY_{name.upper()}_PEER_ADDRESS": address
            for name, address in self._peers.items()
        }
        tls = {"IBS_NOTIFY_TLS_DIRECTORY": str(home / "tls")}
        super().__init__(home, extra={**peers, **tls, **(extra or {})})
        self.certificates = Certificates.made_in(home / "tls")
        for name, channel in self.channels("administrator").items():
            self.services[name].channel.close()
            self.services[name].channel = channel
        self.config = ConfigServiceStub(self.services["config"].channel)
        self.router = RouterServiceStub(self.services["router"].channel)
        self.delivery = DeliveryServiceStub(self.services["delivery"].channel)

    def channels(self, holder: str, token: str = "") -> dict[ServiceName, grpc.Channel]:
        """To each service, with the certificate of ``holder`` or with a token."""
        issued = self.certificates.of(holder) if holder else None
        pair = (issued.key, issued.certificate) if issued else (None, None)
        credentials = grpc.ssl_channel_credentials(self.certificates.ca, *pair)
        if token:
            bearer = grpc.access_token_call_credentials(token)
            credentials = grpc.composite_channel_credentials(credentials, bearer)
        return {
            name: grpc.secure_channel(
                self._peers[name] if holder else self.services[name].address,
                credentials,
                options=[*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", dns_name(name))],
            )
            for name in SERVICES
        }
