"""All targets and all groups, and their names, however many pages of the API they are."""

from __future__ import annotations

from ibs_notify.console.api import Api
from ironcore.notification.v1.config_service_pb2 import (
    ListGroupNamesRequest,
    ListGroupsRequest,
    ListTargetsRequest,
)
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.target_pb2 import Target

_PAGE = 1000


async def every_target(api: Api) -> list[Target]:
    """By their names."""
    found: list[Target] = []
    request = ListTargetsRequest(page_size=_PAGE)
    while True:
        answer = await api.call(api.config.ListTargets, request)
        found += answer.targets
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


async def every_group(api: Api) -> list[Group]:
    """By their names."""
    found: list[Group] = []
    request = ListGroupsRequest(page_size=_PAGE)
    while True:
        answer = await api.call(api.config.ListGroups, request)
        found += answer.groups
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


async def every_group_name(api: Api) -> list[str]:
    """In their order."""
    found: list[str] = []
    request = ListGroupNamesRequest(page_size=_PAGE)
    while True:
        answer = await api.call(api.config.ListGroupNames, request)
        found += (each.name for each in answer.groups)
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token
