"""Two people with the same form: what only one of them changed is kept, of the rest is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ibs_notify.console.forms import Form
from ibs_notify.console.groups import differences as group_differences
from ibs_notify.console.groups.draft import Draft, Row, draft_of_group, group_of
from ibs_notify.console.overtaken import Whose, carried, opened_with, whose
from ibs_notify.console.targets import differences as target_differences
from ibs_notify.console.targets.draft import form_of, target_of
from ironcore.notification.v1.group_pb2 import Group, GroupTemplates
from ironcore.notification.v1.target_pb2 import SmtpTarget, Target

OPENED = Draft(
    name="ops-team",
    description="Nights",
    attachments="/datastore/a\n/datastore/b",
    has_digest=True,
    rows=(Row("ops-smtp", "*", "ops@example.com"), Row("chat-ops", "severity >= error")),
)


def group(draft: Draft, etag: str = "") -> Group:
    made = group_of(replace(draft, etag=etag))
    made.uid = "g1"
    return made


def join(mine: Draft, stored: Draft) -> group_differences.Joined:
    return group_differences.join(group(OPENED), group(mine), group(stored, "e2"))


@pytest.mark.parametrize(
    ("opened", "mine", "stored", "expected"),
    [
        (1, 1, 1, Whose.STORED),
        (1, 1, 2, Whose.STORED),
        (1, 2, 1, Whose.MINE),
        (1, 2, 2, Whose.STORED),
        (1, 2, 3, Whose.BOTH),
        (None, 1, 2, Whose.BOTH),
    ],
)
def test_whose_a_field_is(opened: object, mine: object, stored: object, expected: Whose) -> None:
    assert whose(opened, mine, stored) is expected


def test_what_only_somebody_else_changed_is_kept() -> None:
    stored = replace(
        OPENED, rate_limit="30", digest_time="10:00", rows=(OPENED.rows[0], Row("chat-ops", "*"))
    )
    joined = join(replace(OPENED, description="Days", dedup_window="1h"), stored)
    assert joined.group == group(replace(stored, description="Days", dedup_window="1h"), "e2")
    assert not joined.both
    told = [group_differences.label(each) for each in joined.theirs]
    assert told == ["Events a minute", "Time of the digest", "Rule of chat-ops"]


def test_what_both_changed_to_the_same_is_no_question() -> None:
    joined = join(replace(OPENED, rate_limit="30"), replace(OPENED, rate_limit="30"))
    assert (joined.both, joined.theirs) == ([], ["rate_limit_per_minute"])


def test_what_both_changed_is_asked_and_either_can_be_taken() -> None:
    mine = replace(OPENED, rate_limit="off", digest_time="08:00", description="Days")
    stored = group(replace(OPENED, rate_limit="30", digest_time="10:00"), "e2")
    joined = group_differences.join(group(OPENED), group(mine), stored)
    assert joined.both == ["rate_limit_per_minute", "digest/time"]
    found = group_differences.differences(joined.group, stored, joined.both)
    assert [(each.label, each.stored, each.written) for each in found] == [
        ("Events a minute", "30", "off"),
        ("Time of the digest", "10:00", "08:00"),
    ]
    taken = group_differences.take_stored(joined.group, stored, "rate_limit_per_minute")
    assert (taken.rate_limit_per_minute, taken.digest.time) == (30, "08:00")
    assert taken.description == "Days"
    left = group_differences.differences(taken, stored, joined.both)
    assert [each.key for each in left] == ["digest/time"]


@pytest.mark.parametrize(
    ("mine", "stored", "key", "told"),
    [
        (
            replace(OPENED, has_digest=False),
            replace(OPENED, digest_time="10:00"),
            "digest",
            ("daily digest at 10:00: severity in (info, notice)", "no digest"),
        ),
        (
            replace(OPENED, rows=OPENED.rows[:1]),
            replace(OPENED, rows=(OPENED.rows[0], Row("chat-ops", "*"))),
            "target/chat-ops",
            ("*", "not in the group"),
        ),
        (
            replace(OPENED, rows=(Row("ops-smtp", "*"), OPENED.rows[1])),
            replace(OPENED, rows=OPENED.rows[1:]),
            "target/ops-smtp",
            ("not in the group", "*"),
        ),
    ],
)
def test_what_one_takes_out_and_the_other_changes_is_asked(
    mine: Draft, stored: Draft, key: str, told: tuple[str, str]
) -> None:
    joined = join(mine, stored)
    assert [*joined.both] == [key]
    (found,) = group_differences.differences(joined.group, group(stored), joined.both)
    assert (found.stored, found.written) == told
    taken = group_differences.take_stored(joined.group, group(stored), key)
    assert {*draft_of_group(taken).rows} == {*stored.rows}
    assert taken.HasField("digest") == stored.has_digest
    assert not group_differences.differences(taken, group(stored), joined.both)


def test_resources_of_both_are_attached_and_detached() -> None:
    mine = replace(OPENED, attachments="/datastore/b\n/datastore/mine")
    stored = replace(OPENED, attachments="/datastore/a\n/datastore/b\n/datastore/theirs")
    joined = join(mine, stored)
    assert [*joined.group.attachments] == ["/datastore/b", "/datastore/theirs", "/datastore/mine"]
    assert not joined.both


def test_of_another_group_of_that_name_nothing_is_known() -> None:
    opened = group(OPENED)
    opened.uid = "another"
    joined = group_differences.join(opened, group(OPENED), group(replace(OPENED, rate_limit="9")))
    assert [*joined.both] == ["rate_limit_per_minute"]


def test_a_form_carries_what_it_was_opened_with() -> None:
    stored = group(OPENED)
    assert opened_with(carried(stored), Group) == stored
    long = Group(templates=GroupTemplates(text="x" * 10_000))
    long.MergeFrom(stored)
    assert draft_of_group(long).opened == carried(stored)


@pytest.mark.parametrize("text", ["", "no base64", "AAAA", "é"])
def test_what_no_form_wrote_is_not_known(text: str) -> None:
    assert opened_with(text, Group) is None


def mail(**fields: object) -> Target:
    spec = SmtpTarget(server="a.example.com", port=587, subject_template="{{event.subject}}")
    spec.MergeFrom(SmtpTarget(**fields))  # type: ignore[arg-type]
    return Target(name="ops-smtp", uid="t1", smtp=spec)


def test_a_target_keeps_what_only_somebody_else_changed() -> None:
    opened, stored = mail(), mail(recipients=["b@example.com"], subject_template="{{event.type}}")
    stored.description = "Theirs"
    form = Form({**form_of(opened).values, "from_address": ["me@example.com"]})
    mine = target_of("smtp", form, stored)
    opened = opened_with(form.text("opened"), Target) or Target()
    assert not opened.smtp.subject_template
    joined = target_differences.join(opened, mine, stored)
    assert joined.both == []
    assert [*joined.theirs] == ["description", "recipients"]
    assert joined.target.smtp.from_address == "me@example.com"
    assert [*joined.target.smtp.recipients] == ["b@example.com"]
    shown = target_differences.showing(form, stored, joined.theirs)
    assert (shown.text("recipients"), shown.text("from_address")) == (
        "b@example.com",
        "me@example.com",
    )
