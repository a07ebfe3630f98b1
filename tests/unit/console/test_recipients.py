"""Who receives a mail is said by the group, else the target, else the setting, else by nobody."""

from __future__ import annotations

from ibs_notify.console.targets.recipients import Source, recipients_of, unaddressed
from ironcore.notification.v1.group_pb2 import Group, Subscription
from ironcore.notification.v1.target_pb2 import SmtpTarget, Target, WebhookTarget

BARE = Target(name="ops-smtp", smtp=SmtpTarget(server="127.0.0.1"))
OWN = Target(name="own", smtp=SmtpTarget(server="127.0.0.1", recipients=["t@example.com"]))
HOOK = Target(name="chat", webhook=WebhookTarget(url="http://127.0.0.1/"))
PLAIN = Subscription(target="ops-smtp", rule="*")
GIVEN = Subscription(target="ops-smtp", rule="*", recipients=["g@example.com"])


def test_the_group_comes_before_the_target_and_that_before_the_setting() -> None:
    setting = ["s@example.com"]
    assert recipients_of(GIVEN, OWN, setting).addresses == ["g@example.com"]
    assert recipients_of(PLAIN, OWN, setting).addresses == ["t@example.com"]
    assert recipients_of(PLAIN, BARE, setting).source is Source.SETTING
    assert recipients_of(PLAIN, BARE, ()).source is Source.NOBODY
    assert recipients_of(PLAIN, HOOK, setting).source is Source.NO_MAIL


def test_a_mail_target_is_unaddressed_where_a_group_names_nobody_either() -> None:
    some = [Group(name="a", subscriptions=[PLAIN]), Group(name="b", subscriptions=[GIVEN])]
    assert unaddressed([BARE, OWN, HOOK], some, ()) == {"ops-smtp": ["a"]}
    assert unaddressed([BARE], some[1:], ()) == {}
    assert unaddressed([BARE], some, ["s@example.com"]) == {}


def test_one_that_no_group_sends_to_yet_is_unaddressed_too() -> None:
    assert unaddressed([BARE], [], ()) == {"ops-smtp": []}
