"""Keys on the command line."""

from __future__ import annotations

import json

from tests.support.command_line import Cli

from ibs_notify.domain.errors import FailedPrecondition, Reason
from ironcore.notification.v1 import config_service_pb2 as pb


def listed(*keys: pb.Key) -> pb.ListKeysResponse:
    return pb.ListKeysResponse(keys=keys, source="file")


def test_keys_are_listed_with_what_they_seal_and_whether_they_can_go(cli: Cli) -> None:
    cli.config.answers["ListKeys"] = listed(
        pb.Key(key_id="k-3", newest=True, secret_count=1200, available=True),
        pb.Key(key_id="k-2", secret_count=1, available=True),
        pb.Key(key_id="k-1", available=True),
        pb.Key(key_id="k-0", secret_count=2),
    )
    lines = cli("keys", "list").stdout.splitlines()
    for line, words in zip(
        lines[2:],
        (
            ("k-3", "1,200 secrets", "newest"),
            ("k-2", "1 secret", "in use"),
            ("k-1", "0 secrets", "can be removed"),
            ("k-0", "2 secrets", "missing"),
            ("read from: file",),
        ),
        strict=True,
    ):
        for word in words:
            assert word in line
    document = json.loads(cli("keys", "list", "-o", "json").stdout)
    assert document["keys"][0] == {
        "key_id": "k-3",
        "newest": True,
        "secret_count": "1200",
        "available": True,
    }


def test_a_rotation_says_what_it_did_and_what_to_keep(cli: Cli) -> None:
    cli.config.answers["RotateKeys"] = pb.RotateKeysResponse(
        key_id="k-2", resealed_count=31, revision=7, warnings=["one is damaged"]
    )
    done = cli("keys", "rotate")
    assert "newest key k-2, 31 secrets sealed anew with it" in done.stdout
    assert "an older backup needs the older key" in done.stdout
    assert "warning: one is damaged" in done.stderr
    assert cli.delivery.received("AwaitConfig")[0].revision == 7
    (first,) = cli.config.received("RotateKeys")
    assert not first.keep_newest
    cli("keys", "rotate", "--keep-newest", "--no-wait")
    assert cli.config.received("RotateKeys")[1].keep_newest
    assert len(cli.delivery.received("AwaitConfig")) == 1


def test_a_key_is_removed_when_that_is_confirmed(cli: Cli) -> None:
    refused = cli("keys", "remove", "k-1")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert cli.config.received("RemoveKey") == []
    done = cli("keys", "remove", "k-1", "--yes")
    assert "removed key k-1; a backup of before the rotation needs it" in done.stdout
    assert cli.config.received("RemoveKey")[0].key_id == "k-1"


def test_a_key_in_use_is_refused_with_advice(cli: Cli) -> None:
    cli.config.answers["RemoveKey"] = FailedPrecondition(
        Reason.KEY_IN_USE, "2 stored secrets are sealed with key k-1", advice="rotate"
    )
    refused = cli("keys", "remove", "k-1", "--yes")
    assert refused.exit_code == 4
    assert "2 stored secrets are sealed" in refused.stderr
