"""Channels of the services to each other, which outlive their certificates.

gRPC fixes the credentials of a channel when it is made. So there is a new one inside whenever the
files have changed: calls begin on the newest, and those under way end where they began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import grpc

from ibs_notify.rpc.channel import OPTIONS, open_plain_channel
from ibs_notify.rpc.peer import dns_name
from ibs_notify.rpc.tls import IdentityFiles
from ibs_notify.settings import ServiceName, Settings

if TYPE_CHECKING:
    from ibs_notify.rpc.identity import Identity


def open_peer_channel(
    settings: Settings, identity: IdentityFiles | None, to: ServiceName
) -> grpc.aio.Channel:
    """The channel of the service that ``identity`` is of to another; without it in clear text."""
    if identity is None:
        return open_plain_channel(settings.address(to))
    return RenewingChannel(settings.peer_address(to), dns_name(to), identity)


class RenewingChannel(grpc.aio.Channel):
    """By mutual TLS to ``address``, which has to prove that it is ``server_name``."""

    def __init__(self, address: str, server_name: str, files: IdentityFiles) -> None:
        self._address = address
        self._files = files
        self._options = [*OPTIONS, ("grpc.ssl_target_name_override", server_name)]
        self._identity = files.current()
        self._inner = self._open(self._identity)
        self._methods: dict[_Method, Any] = {}
        """What calls go through; kept here, so that nothing else holds the channel before."""

    def current(self) -> grpc.aio.Channel:
        """The channel that a call which begins now goes through."""
        identity = self._files.current()
        if identity is not self._identity:
            self._identity = identity
            # The one before ends with its last call; what is here held it beside those.
            self._methods.clear()
            self._inner = self._open(identity)
        return self._inner

    def method(self, key: _Method, make: Callable[[grpc.aio.Channel], Any]) -> Any:
        """What ``make`` makes of the current channel, made once for each."""
        inner = self.current()
        if key not in self._methods:
            self._methods[key] = make(inner)
        return self._methods[key]

    def _open(self, identity: Identity) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(identity.ca, identity.key, identity.certificate)
        return grpc.aio.secure_channel(self._address, credentials, options=self._options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002  # as in gRPC
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self.current().channel_ready()

    def unary_unary(self, *arguments: Any, **named: Any) -> Any:
        return _Method(self, lambda inner: inner.unary_unary(*arguments, **named))

    def unary_stream(self, *arguments: Any, **named: Any) -> Any:
        return _Method(self, lambda inner: inner.unary_stream(*arguments, **named))

    def stream_unary(self, *arguments: Any, **named: Any) -> Any:
        return _Method(self, lambda inner: inner.stream_unary(*arguments, **named))

    def stream_stream(self, *arguments: Any, **named: Any) -> Any:
        return _Method(self, lambda inner: inner.stream_stream(*arguments, **named))


class _Method:
    """A method of a stub, made once and called for as long as the service runs."""

    def __init__(self, channel: RenewingChannel, make: Callable[[grpc.aio.Channel], Any]) -> None:
        self._channel = channel
        self._make = make

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._channel.method(self, self._make)(*arguments, **named)
