"""ConfigService on the wire: proto in, use case, proto out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from ibs_notify.config.groups import Groups
from ibs_notify.config.installation import Installation
from ibs_notify.config.key_rotation import KeyRotation
from ibs_notify.config.rule_analysis import analysis_to_proto
from ibs_notify.config.rule_check import check_rule
from ibs_notify.config.target_test import Asked, TargetTests
from ibs_notify.config.targets import Targets
from ibs_notify.config.token_uses import read_uses
from ibs_notify.config.tokens import Tokens
from ibs_notify.config.watch import ConfigWatch
from ibs_notify.config.webhook_address import without_path
from ibs_notify.domain.bounds import faults_of
from ibs_notify.domain.clock import Clock
from ibs_notify.domain.errors import (
    FieldViolation,
    InvalidArgument,
    PermissionDenied,
    Reason,
)
from ibs_notify.domain.event import Event
from ibs_notify.domain.naming import is_name
from ibs_notify.domain.principal import Role, Service
from ibs_notify.rpc.caller import caller_of, principal
from ibs_notify.rpc.convert import event_from_proto
from ibs_notify.rpc.paging import page_size, page_token, read_page_token
from ibs_notify.rules.analyze import analyze
from ibs_notify.rules.ast import Field
from ibs_notify.rules.complete import complete
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import event_pb2, token_pb2
from ironcore.notification.v1.config_service_pb2_grpc import ConfigServiceServicer
from ironcore.notification.v1.target_pb2 import Target

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the servicer calls."""

    targets: Targets
    tests: TargetTests
    groups: Groups
    installation: Installation
    tokens: Tokens
    keys: KeyRotation
    watch: ConfigWatch


class ConfigServicer(ConfigServiceServicer):
    """Raises the domain's errors; the interceptor turns them into statuses."""

    def __init__(self, use_cases: UseCases, clock: Clock) -> None:
        self._targets = use_cases.targets
        self._tests = use_cases.tests
        self._groups = use_cases.groups
        self._installation = use_cases.installation
        self._tokens = use_cases.tokens
        self._keys = use_cases.keys
        self._watch = use_cases.watch
        self._clock = clock

    async def CreateTarget(
        self, request: pb.CreateTargetRequest, context: Context
    ) -> pb.CreateTargetResponse:
        saved = await self._targets.create(request.target, caller_of(context))
        return pb.CreateTargetResponse(target=saved.resource, warnings=saved.warnings)

    async def GetTarget(
        self, request: pb.GetTargetRequest, context: Context
    ) -> pb.GetTargetResponse:
        return pb.GetTargetResponse(target=_shown(await self._targets.get(request.name)))

    async def ListTargets(
        self, request: pb.ListTargetsRequest, context: Context
    ) -> pb.ListTargetsResponse:
        size = page_size(request.page_size)
        targets = await self._targets.page(_after("targets", request.page_token), size + 1)
        return pb.ListTargetsResponse(
            targets=[_shown(each) for each in targets[:size]],
            next_page_token=page_token("targets", targets[size - 1].name) if targets[size:] else "",
        )

    async def UpdateTarget(
        self, request: pb.UpdateTargetRequest, context: Context
    ) -> pb.UpdateTargetResponse:
        saved = await self._targets.update(request, caller_of(context), self._clock.now())
        return pb.UpdateTargetResponse(target=saved.resource, warnings=saved.warnings)

    async def DeleteTarget(
        self, request: pb.DeleteTargetRequest, context: Context
    ) -> pb.DeleteTargetResponse:
        saved = await self._targets.delete(
            request.name, request.etag, caller_of(context), force=request.force
        )
        return pb.DeleteTargetResponse(revision=saved.resource, warnings=saved.warnings)

    async def TestTarget(
        self, request: pb.ConfigServiceTestTargetRequest, context: Context
    ) -> pb.ConfigServiceTestTargetResponse:
        result = await self._tests.run(_asked(request), caller_of(context))
        return pb.ConfigServiceTestTargetResponse(
            ok=result.ok, stages=result.stages, summary=result.summary
        )

    async def RotateKeys(
        self, request: pb.RotateKeysRequest, context: Context
    ) -> pb.RotateKeysResponse:
        rotated = await self._keys.rotate(caller_of(context), keep_newest=request.keep_newest)
        return pb.RotateKeysResponse(
            key_id=rotated.key_id,
            resealed_count=rotated.resealed,
            revision=rotated.revision,
            warnings=rotated.warnings,
        )

    async def ListKeys(self, request: pb.ListKeysRequest, context: Context) -> pb.ListKeysResponse:
        return pb.ListKeysResponse(
            keys=[
                pb.Key(
                    key_id=each.key_id,
                    newest=each.is_newest,
                    secret_count=each.secrets,
                    available=each.is_available,
                )
                for each in await self._keys.listed()
            ],
            source=self._keys.source,
        )

    async def RemoveKey(
        self, request: pb.RemoveKeyRequest, context: Context
    ) -> pb.RemoveKeyResponse:
        await self._keys.remove(request.key_id, caller_of(context))
        return pb.RemoveKeyResponse()

    async def GetCaller(
        self, request: pb.GetCallerRequest, context: Context
    ) -> pb.GetCallerResponse:
        answer = pb.GetCallerResponse(name=caller_of(context))
        standing = principal().standing
        if isinstance(standing, Role):
            answer.role = token_pb2.Role.Value(f"ROLE_{standing.name}")
        return answer

    async def StreamTargetTest(
        self, request: pb.ConfigServiceStreamTargetTestRequest, context: Context
    ) -> AsyncIterator[pb.ConfigServiceStreamTargetTestResponse]:
        following = self._tests.follow(_asked(request), caller_of(context))
        async with aclosing(following) as news:
            async for each in news:
                yield pb.ConfigServiceStreamTargetTestResponse(progress=each)

    async def AnalyzeRule(
        self, request: pb.AnalyzeRuleRequest, context: Context
    ) -> pb.AnalyzeRuleResponse:
        rule, position = request.rule, request.position
        analysis = analyze(rule)
        completions = complete(rule, position, reading=analysis.reading)
        if completions.field == Field.RESOURCE:
            known = await self._groups.attachments()
            completions = complete(rule, position, known, analysis.reading)
        return analysis_to_proto(analysis, completions)

    async def CreateGroup(
        self, request: pb.CreateGroupRequest, context: Context
    ) -> pb.CreateGroupResponse:
        saved = await self._groups.create(request.group, caller_of(context))
        return pb.CreateGroupResponse(group=saved.resource, warnings=saved.warnings)

    async def GetGroup(self, request: pb.GetGroupRequest, context: Context) -> pb.GetGroupResponse:
        return pb.GetGroupResponse(group=await self._groups.get(request.name))

    async def ListGroups(
        self, request: pb.ListGroupsRequest, context: Context
    ) -> pb.ListGroupsResponse:
        size = page_size(request.page_size)
        after = _after("groups", request.page_token)
        groups = await self._groups.page(after, size + 1, request.resource, request.text)
        return pb.ListGroupsResponse(
            groups=groups[:size],
            next_page_token=page_token("groups", groups[size - 1].name) if groups[size:] else "",
        )

    async def UpdateGroup(
        self, request: pb.UpdateGroupRequest, context: Context
    ) -> pb.UpdateGroupResponse:
        saved = await self._groups.update(request.group, request.update_mask, caller_of(context))
        return pb.UpdateGroupResponse(group=saved.resource, warnings=saved.warnings)

    async def DeleteGroup(
        self, request: pb.DeleteGroupRequest, context: Context
    ) -> pb.DeleteGroupResponse:
        revision = await self._groups.delete(
            request.name, request.etag, caller_of(context), force=request.force
        )
        return pb.DeleteGroupResponse(revision=revision)

    async def AddSubscription(
        self, request: pb.AddSubscriptionRequest, context: Context
    ) -> pb.AddSubscriptionResponse:
        saved = await self._groups.add_subscription(
            request.group, request.subscription, caller_of(context)
        )
        return pb.AddSubscriptionResponse(group=saved.resource, warnings=saved.warnings)

    async def UpdateSubscription(
        self, request: pb.UpdateSubscriptionRequest, context: Context
    ) -> pb.UpdateSubscriptionResponse:
        saved = await self._groups.update_subscription(
            request.group, request.subscription, request.update_mask, caller_of(context)
        )
        return pb.UpdateSubscriptionResponse(group=saved.resource, warnings=saved.warnings)

    async def RemoveSubscription(
        self, request: pb.RemoveSubscriptionRequest, context: Context
    ) -> pb.RemoveSubscriptionResponse:
        saved = await self._groups.remove_subscription(
            request.group, request.target, caller_of(context)
        )
        return pb.RemoveSubscriptionResponse(group=saved.resource, warnings=saved.warnings)

    async def AttachResource(
        self, request: pb.AttachResourceRequest, context: Context
    ) -> pb.AttachResourceResponse:
        saved = await self._groups.attach(request.group, request.resource, caller_of(context))
        return pb.AttachResourceResponse(group=saved.resource, warnings=saved.warnings)

    async def DetachResource(
        self, request: pb.DetachResourceRequest, context: Context
    ) -> pb.DetachResourceResponse:
        saved = await self._groups.detach(request.group, request.resource, caller_of(context))
        return pb.DetachResourceResponse(group=saved.resource, warnings=saved.warnings)

    async def GetSettings(
        self, request: pb.GetSettingsRequest, context: Context
    ) -> pb.GetSettingsResponse:
        return pb.GetSettingsResponse(settings=await self._installation.get())

    async def UpdateSettings(
        self, request: pb.UpdateSettingsRequest, context: Context
    ) -> pb.UpdateSettingsResponse:
        saved = await self._installation.update(
            request.settings, request.update_mask, caller_of(context)
        )
        return pb.UpdateSettingsResponse(settings=saved.resource, warnings=saved.warnings)

    async def CheckRule(
        self, request: pb.CheckRuleRequest, context: Context
    ) -> pb.CheckRuleResponse:
        event = self._event(request.event) if request.HasField("event") else None
        check = check_rule(request.rule, event)
        return pb.CheckRuleResponse(
            canonical_rule=check.canonical, matches=check.matches, warnings=check.warnings
        )

    async def WatchConfig(
        self, request: pb.WatchConfigRequest, context: Context
    ) -> AsyncIterator[pb.WatchConfigResponse]:
        _require_for_watch(request, principal().standing)
        async for response in self._watch.follow(
            request.resume_token,
            include_secrets=request.include_secrets,
            include_tokens=request.include_tokens,
            newest_seen=request.seen_revision,
        ):
            yield response

    async def ListGroupNames(
        self, request: pb.ListGroupNamesRequest, context: Context
    ) -> pb.ListGroupNamesResponse:
        size = page_size(request.page_size)
        groups = await self._groups.page(_after("group-names", request.page_token), size + 1)
        return pb.ListGroupNamesResponse(
            groups=[
                pb.GroupName(
                    name=each.name, description=each.description, create_time=each.create_time
                )
                for each in groups[:size]
            ],
            next_page_token=page_token("group-names", groups[size - 1].name)
            if groups[size:]
            else "",
        )

    async def CreateToken(
        self, request: pb.CreateTokenRequest, context: Context
    ) -> pb.CreateTokenResponse:
        made = await self._tokens.create(request.token, caller_of(context), self._clock.now())
        return pb.CreateTokenResponse(
            token=made.token, secret=made.presented, warnings=made.warnings
        )

    async def ListTokens(
        self, request: pb.ListTokensRequest, context: Context
    ) -> pb.ListTokensResponse:
        size = page_size(request.page_size)
        tokens = await self._tokens.page(
            _after("tokens", request.page_token), size + 1, include_revoked=request.include_revoked
        )
        return pb.ListTokensResponse(
            tokens=tokens[:size],
            next_page_token=page_token("tokens", tokens[size - 1].name) if tokens[size:] else "",
        )

    async def RevokeToken(
        self, request: pb.RevokeTokenRequest, context: Context
    ) -> pb.RevokeTokenResponse:
        return pb.RevokeTokenResponse(
            token=await self._tokens.revoke(request.name, caller_of(context))
        )

    async def ReportTokenUse(
        self, request: pb.ReportTokenUseRequest, context: Context
    ) -> pb.ReportTokenUseResponse:
        await self._tokens.note_uses(read_uses(request, self._clock.now()))
        return pb.ReportTokenUseResponse()

    def _event(self, message: event_pb2.Event) -> Event:
        event, faults = event_from_proto(message, self._clock.now())
        faults += faults_of(event)
        if faults:
            raise InvalidArgument.of(
                [FieldViolation(f"event.{each.path}", each.description) for each in faults],
                Reason.EVENT_INVALID,
            )
        return event


def _asked(
    request: pb.ConfigServiceTestTargetRequest | pb.ConfigServiceStreamTargetTestRequest,
) -> Asked:
    subject = request.draft if request.HasField("draft") else request.name
    return Asked(subject, request.recipients)


def _shown(target: Target) -> Target:
    """With the whole address for who may change it, or where nobody has to prove who they are."""
    return target if principal().standing in (Role.ADMINISTRATOR, None) else without_path(target)


def _after(listing: str, token: str) -> str:
    position = read_page_token(listing, token)
    if position is None:
        return ""
    name = str(position[0])
    if not is_name(name):
        raise InvalidArgument(Reason.PAGE_TOKEN_INVALID, "the page token names no place in a list")
    return name


def _require_for_watch(request: pb.WatchConfigRequest, who: Role | Service | None) -> None:
    """Secrets are for Delivery only, tokens for Router and Delivery; ``None``: nobody is asked."""
    if request.include_secrets and who not in (Service.DELIVERY, None):
        raise PermissionDenied(Reason.PERMISSION_DENIED, "only Delivery may watch secrets")
    if request.include_tokens and who not in (Service.ROUTER, Service.DELIVERY, None):
        raise PermissionDenied(
            Reason.PERMISSION_DENIED, "only Router and Delivery may watch tokens"
        )
