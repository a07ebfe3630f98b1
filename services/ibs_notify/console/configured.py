"""All targets and all groups, and their names, however many pages of the API they are."""

from __future__ import annotations

from ibs_notify.console.api import Api
from ironcore.notification.v1.config_service_pb2 import (
    GroupName,
    ListGroupNamesRequest,
    ListGroupsRequest,
    ListTargetsRequest,
)
from ironcore.notification.v1.group_pb2 import Group
from ironcore.notification.v1.target_pb2 import Target

_PAGE = 1000


async def every_target(api: Api) -> list[Target]:
    """By their names."""
    pages = api.pages(api.config.ListTargets, ListTargetsRequest(page_size=_PAGE))
    return [each async for page in pages for each in page.targets]


async def every_group(api: Api) -> list[Group]:
    """By their names."""
    pages = api.pages(api.config.ListGroups, ListGroupsRequest(page_size=_PAGE))
    return [each async for page in pages for each in page.groups]


async def every_named_group(api: Api) -> list[GroupName]:
    """What a list of all of them needs, by their names: much less than the groups."""
    pages = api.pages(api.config.ListGroupNames, ListGroupNamesRequest(page_size=_PAGE))
    return [each async for page in pages for each in page.groups]


async def every_group_name(api: Api) -> list[str]:
    """In their order."""
    return [each.name for each in await every_named_group(api)]
