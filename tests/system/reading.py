"""Calls every rpc that reads, found by the descriptors, and keeps each answer as it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import (
    audit_service_pb2,
    config_service_pb2,
    delivery_service_pb2,
    router_service_pb2,
)

FILES = (
    config_service_pb2,
    router_service_pb2,
    delivery_service_pb2,
    audit_service_pb2,
)
READS = (
    *("Get", "List", "Count", "Preview", "Explain", "Verify", "Summarize", "Watch", "Check"),
    "Await",
)
CALL_SECONDS = 20.0
STREAM_SECONDS = 1.0


@dataclass(slots=True)
class Recorder:
    """Calls services; ``answers`` are all replies and errors, as bytes, with the rpc's name.

    ``channels`` are those of the administrator, ``others`` those of who else reads: what is refused
    to one is given to another. ``values`` are what is known of this installation, by the name of a
    field: a request is made for each of them.
    """

    channels: Mapping[ServiceName, grpc.Channel]
    others: Sequence[Mapping[ServiceName, grpc.Channel]] = ()
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    def call(self, method: str, request: Message) -> Any:
        """One call, by the rpc's name; its reply, or ``None`` where it failed."""
        found = next(each for each in _methods() if each.name == method)
        raw = self._unary(self.channels[_owners(found)[0]], found, request)
        return None if raw is None else GetMessageClass(found.output_type).FromString(raw)

    def read_everything(self) -> Counter[str]:
        """Call each rpc that reads with each known value; how often each was called."""
        calls: Counter[str] = Counter()
        for method in _methods():
            if not method.name.startswith(READS):
                continue
            read = self._stream if method.server_streaming else self._unary
            for reader in (self.channels, *self.others):
                for request in self._requests(method):
                    for service in _owners(method):
                        read(reader[service], method, request)
                        calls[f"{method.containing_service.name}.{method.name}"] += 1
        return calls

    def _unary(
        self, channel: grpc.Channel, method: MethodDescriptor, request: Message
    ) -> bytes | None:
        call: Any = channel.unary_unary(_path(method))
        try:
            answer: bytes = call(request.SerializeToString(), timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            self._keep_error(method, error)
            return None
        self.answers.append((method.name, answer))
        return answer

    def _stream(self, channel: grpc.Channel, method: MethodDescriptor, request: Message) -> None:
        call: Any = channel.unary_stream(_path(method))
        try:
            for answer in call(request.SerializeToString(), timeout=STREAM_SECONDS):
                self.answers.append((method.name, answer))
        except grpc.RpcError as error:
            self._keep_error(method, error)

    def _keep_error(self, method: MethodDescriptor, error: grpc.RpcError) -> None:
        trailing: Any = error.trailing_metadata() or ()
        said = f"{error.code()} {error.details()} {list(trailing)!r} {error!r}"
        self.answers.append((f"{method.name} (error)", said.encode()))
        for _, value in trailing:
            self.answers.append((f"{method.name} (error)", _bytes(value)))

    def _requests(self, method: MethodDescriptor) -> Iterator[Message]:
        """As many as the longest of the known values needs, at least one."""
        kind = GetMessageClass(method.input_type)
        known = [each for each in kind.DESCRIPTOR.fields if each.name in self.values]
        count = max((len(self.values[each.name]) for each in known), default=1)
        for number in range(count):
            request = kind()
            for each in known:
                if _turn(each, known, number) is not each:
                    continue
                values = self.values[each.name]
                _set(request, each, values[number % len(values)])
            yield request


def _owners(method: MethodDescriptor) -> Sequence[ServiceName]:
    """The services that serve it: one, but for what each of them has."""
    owner = method.containing_service.name.removesuffix("Service").lower()
    return [each for each in SERVICES if each == owner] or SERVICES


def _turn(
    known: FieldDescriptor, others: Sequence[FieldDescriptor], number: int
) -> FieldDescriptor:
    """Which of those that exclude each other is set in a request of that number."""
    choice = known.containing_oneof
    rivals = [each for each in others if choice and each.containing_oneof is choice] or [known]
    return rivals[number % len(rivals)]


def _set(request: Message, known: FieldDescriptor, value: Any) -> None:
    if known.label == FieldDescriptor.LABEL_REPEATED:
        getattr(request, known.name).append(value)
    elif isinstance(value, Message):
        if known.message_type is not None and value.DESCRIPTOR is known.message_type:
            getattr(request, known.name).CopyFrom(value)
    elif known.message_type is None:
        setattr(request, known.name, value)


def _methods() -> Iterator[MethodDescriptor]:
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
