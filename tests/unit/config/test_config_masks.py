"""An update takes what its mask names, and nothing else."""

from __future__ import annotations

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.support.config import smtp_target, webhook_target

from ibs_notify.config.faults import Faults
from ibs_notify.config.masks import GROUP_PATHS, TargetUpdate, check_mask, merge, update_target
from ibs_notify.domain.errors import InvalidArgument
from ironcore.notification.v1.group_pb2 import Digest, Group
from ironcore.notification.v1.target_pb2 import Target


def update(
    stored: Target, request: Target, *paths: str, remove: list[str] | None = None
) -> TargetUpdate:
    faults = Faults()
    result = update_target(stored, request, FieldMask(paths=paths), remove or [], faults)
    faults.raise_any()
    return result


def test_only_masked_fields_are_taken() -> None:
    request = Target(name="ops-smtp", description="new")
    request.smtp.port = 25
    request.smtp.server = "ignored.example.com"
    result = update(smtp_target(), request, "smtp.port")
    assert result.target.smtp.port == 25
    assert result.target.smtp.server == "smtp.example.com"
    assert result.target.description == ""


@pytest.mark.parametrize("path", ["uid", "name", "smtp.password_set", "smtp.nope", "nope", "etag"])
def test_a_path_that_cannot_be_updated_is_named(path: str) -> None:
    with pytest.raises(InvalidArgument, match=f"'{path}'"):
        update(smtp_target(), smtp_target(), path)


def test_a_mask_is_required() -> None:
    with pytest.raises(InvalidArgument, match="update_mask: is missing"):
        update(smtp_target(), smtp_target())


def test_the_kind_cannot_be_changed() -> None:
    with pytest.raises(InvalidArgument, match="of the kind smtp"):
        update(smtp_target(), webhook_target("ops-smtp"), "description")
    with pytest.raises(InvalidArgument, match="of the kind smtp"):
        update(smtp_target(), Target(name="ops-smtp"), "webhook.url")


def test_headers_are_merged_by_name_without_case() -> None:
    request = Target(name="chat-ops")
    request.webhook.headers.add(name="AUTHORIZATION", value="new")
    request.webhook.headers.add(name="X-Key", value="k")
    result = update(webhook_target(), request, "webhook.headers")
    assert [header.name for header in result.target.webhook.headers] == ["AUTHORIZATION", "X-Key"]
    assert result.given == {
        "webhook.headers[authorization]": "new",
        "webhook.headers[x-key]": "k",
    }


def test_headers_can_be_removed_and_an_unknown_one_is_named() -> None:
    result = update(webhook_target(), Target(name="chat-ops"), remove=["authorization"])
    assert not result.target.webhook.headers
    assert result.withdrawn == {"webhook.headers[authorization]"}
    with pytest.raises(InvalidArgument, match="no header 'X-None'"):
        update(webhook_target(), Target(name="chat-ops"), remove=["X-None"])


def test_a_secret_is_withdrawn_by_its_own_path_only() -> None:
    request = Target(name="ops-smtp")
    request.smtp.server = "smtp.example.com"
    assert update(smtp_target(), request, "smtp").withdrawn == frozenset()
    assert update(smtp_target(), request, "smtp.password").withdrawn == {"smtp.password"}


def test_a_secret_outside_of_the_mask_is_not_taken() -> None:
    assert update(smtp_target(), smtp_target(password="x"), "description").given == {}


def test_no_secret_stays_in_the_message() -> None:
    result = update(smtp_target(password=""), smtp_target(password="x"), "smtp")
    assert result.given == {"smtp.password": "x"}
    assert result.target.smtp.password == ""


def test_a_nested_field_of_a_digest_is_taken_and_an_unset_one_removed() -> None:
    stored = Group(name="g", digest=Digest(rule="*", time="08:00"), rate_limit_per_minute=5)
    changed = merge(stored, Group(digest=Digest(time="10:00")), ["digest.time"])
    assert (changed.digest.rule, changed.digest.time) == ("*", "10:00")
    assert not merge(stored, Group(), ["digest"]).HasField("digest")
    assert not merge(stored, Group(), ["rate_limit_per_minute"]).HasField("rate_limit_per_minute")
    assert stored.digest.time == "08:00"


@pytest.mark.parametrize("path", ["attachments", "subscriptions", "revision"])
def test_what_has_rpcs_of_its_own_is_not_updated_by_a_mask(path: str) -> None:
    faults = Faults()
    assert check_mask(FieldMask(paths=[path]), GROUP_PATHS, faults) == []
    assert faults
