"""May a delivery be sent now?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ibs_notify.delivery.admission import Admission, admit, default_recipients
from ibs_notify.delivery.outlook import Outlook
from ibs_notify.delivery.ports import Standing
from ibs_notify.domain.group import Group, InstallationSettings, Subscription
from ibs_notify.domain.target import InfluxDbSpec, PushgatewaySpec, SmtpSpec, Target, WebhookSpec
from ibs_notify.snapshot.model import Snapshot

HOOK = Target("chat", "t1", WebhookSpec("http://127.0.0.1/"), revision=3)
MAIL = Target("mail", "t1", SmtpSpec("127.0.0.1", 25), revision=3)
METRICS = Target("metrics", "t1", InfluxDbSpec("http://127.0.0.1/", "org", "bucket"))
NOW = Snapshot(revision=5, targets={"t1": HOOK})


def decide(
    target: Target | None,
    *,
    revision: int = 5,
    has_recipients: bool = False,
    snapshot: Snapshot | None = NOW,
    paused: bool = False,
) -> Admission:
    return admit(
        target,
        revision=revision,
        has_recipients=has_recipients,
        snapshot=snapshot,
        paused=paused,
    )


@pytest.mark.parametrize(
    ("target", "paused", "admission"),
    [
        (HOOK, False, Admission.SENDABLE),
        (HOOK, True, Admission.TARGET_PAUSED),
        (replace(HOOK, disabled=True), False, Admission.TARGET_DISABLED),
        (replace(HOOK, disabled=True), True, Admission.TARGET_DISABLED),
        (None, False, Admission.TARGET_DELETED),
        (METRICS, False, Admission.SENDABLE),
        (replace(METRICS, spec=PushgatewaySpec("http://127.0.0.1/")), False, Admission.SENDABLE),
        (METRICS, True, Admission.TARGET_PAUSED),
        (MAIL, False, Admission.NO_RECIPIENTS),
    ],
)
def test_a_delivery_stands_as_its_target_does(
    target: Target | None, paused: bool, admission: Admission
) -> None:
    assert decide(target, paused=paused) is admission


def test_what_is_meant_for_a_target_of_a_later_release_waits() -> None:
    outlook = Outlook()
    outlook.snapshot = replace(NOW, unreadable={"t2": "later"})
    assert outlook.admit("t2", 5, False) is Admission.TRANSPORT_NOT_AVAILABLE
    assert outlook.standings()["t2"] == Standing(Admission.TRANSPORT_NOT_AVAILABLE)
    assert outlook.admit("t2", 6, False) is Admission.CONFIG_BEHIND
    assert outlook.name_of("t2") == "later"


def test_a_target_missing_from_an_older_configuration_is_not_deleted() -> None:
    assert decide(None, revision=6) is Admission.CONFIG_BEHIND
    assert decide(HOOK, snapshot=None, revision=0) is Admission.CONFIG_BEHIND


def test_a_mail_needs_a_recipient_of_its_own_or_of_the_target_or_of_the_settings() -> None:
    own = replace(MAIL, spec=SmtpSpec("127.0.0.1", 25, recipients=("ops@x",)))
    everybody = replace(NOW, settings=InstallationSettings(default_recipients=("all@x",)))
    assert decide(MAIL, has_recipients=True) is Admission.SENDABLE
    assert decide(own) is Admission.SENDABLE
    assert decide(MAIL, snapshot=everybody) is Admission.SENDABLE
    assert default_recipients(own, everybody) == ("ops@x",)
    assert default_recipients(MAIL, everybody) == ("all@x",)
    assert default_recipients(HOOK, everybody) == ()


def test_only_the_deletion_of_its_target_ends_a_delivery() -> None:
    assert [each for each in Admission if each.cancels] == [Admission.TARGET_DELETED]


def test_a_pause_ends_with_a_later_revision_of_its_target() -> None:
    outlook = Outlook()
    outlook.snapshot = NOW
    outlook.pauses = {"t1": 3}
    assert outlook.admit("t1", 5, False) is Admission.TARGET_PAUSED
    outlook.pauses = {"t1": 2}
    assert outlook.admit("t1", 5, False) is Admission.SENDABLE


def test_every_target_of_the_configuration_has_a_standing() -> None:
    outlook = Outlook()
    assert outlook.standings() == {}
    outlook.snapshot = replace(NOW, targets={"t1": HOOK, "t2": replace(MAIL, uid="t2")})
    assert outlook.standings() == {
        "t1": Standing(Admission.SENDABLE),
        "t2": Standing(Admission.SENDABLE, lacks_recipients=True),
    }


def test_the_standing_of_a_mail_target_without_recipients_says_which_groups_name_some() -> None:
    named = Subscription("s1", MAIL.name, "*", recipients=("a@x",))
    unnamed = Subscription("s2", MAIL.name, "*")
    groups = (
        Group("ops-team", "g1", subscriptions=(named,)),
        Group("on-call", "g2", subscriptions=(unnamed,)),
    )
    outlook = Outlook()
    outlook.snapshot = replace(NOW, targets={"t1": MAIL}, groups=groups)

    (standing,) = outlook.standings().values()

    assert standing.lacks_recipients
    assert standing.named == {"ops-team": ("a@x",)}
