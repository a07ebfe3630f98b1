"""Who would be told is asked of every type that can be about a datastore, by one function."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import process_time

from ibs_notify.domain.catalogue import ABOUT_DATASTORES, CATALOGUE
from ibs_notify.domain.group import Digest, Group, Scope, Subscription
from ibs_notify.domain.target import PushgatewaySpec, SmtpSpec, Target, WebhookSpec
from ibs_notify.router.audience import Audience
from ibs_notify.router.hearing import Effect, TypeHearing, effect_of, hearings_of
from ibs_notify.router.match import RoutingTable, build_table
from ibs_notify.router.silence import Silence, armed
from ibs_notify.snapshot.model import Snapshot

NOW = datetime(2026, 5, 21, tzinfo=UTC)
TARGETS = {
    each.uid: each
    for each in (
        Target("chat", "u-chat", WebhookSpec("http://127.0.0.1/")),
        Target("off", "u-off", WebhookSpec("http://127.0.0.1/"), disabled=True),
        Target("mail", "u-mail", SmtpSpec("127.0.0.1", 25)),
        Target("gauge", "u-gauge", PushgatewaySpec("http://127.0.0.1/")),
    )
}
TANK = "/datastore/tank"
SILENCE = Silence(
    "sil-4", f"resource under {TANK}", NOW, NOW + timedelta(hours=1), "", "", "why", "ann", NOW
)


def group(name: str, rules: dict[str, str]) -> Group:
    subscriptions = tuple(Subscription(f"{name}-{each}", each, rules[each]) for each in rules)
    return Group(name, f"u-{name}", subscriptions=subscriptions)


def table(*groups: Group) -> RoutingTable:
    return build_table(Snapshot(1, targets=TARGETS, groups=groups))


def audience(*groups: Group) -> Audience:
    return Audience(table(*groups))


def by_name(found: list[TypeHearing]) -> dict[str, TypeHearing]:
    return {each.type.name: each for each in found}


def test_every_type_that_can_be_about_a_datastore_is_asked_the_gravest_first() -> None:
    found = hearings_of(audience(), TANK, (), NOW)
    assert {each.type for each in found} == set(ABOUT_DATASTORES)
    assert [each.type.name for each in found][:2] == ["sync.integrity-error", "verify.corrupt"]
    severities = [each.type.severity for each in found]
    assert severities == sorted(severities, reverse=True)
    assert not any(each.is_told for each in found)
    left_out = {each.source for each in CATALOGUE.values()} - {
        each.source for each in ABOUT_DATASTORES
    }
    assert left_out == {"auth", "config", "system", "notification"}


def test_to_hear_of_one_critical_type_is_not_to_hear_of_another() -> None:
    found = by_name(
        hearings_of(audience(group("g", {"chat": "type starts-with verify."})), TANK, (), NOW)
    )
    assert found["verify.corrupt"].is_told
    assert not found["sync.integrity-error"].is_told


def test_who_hears_and_tells_nobody_says_why() -> None:
    rules = dict.fromkeys(("chat", "gauge", "mail", "off"), "type = backup.failed")
    failed = by_name(hearings_of(audience(group("g", rules)), TANK, (), NOW))["backup.failed"]
    assert {each.target: effect_of(each) for each in failed.routes} == {
        "chat": Effect.TELLS,
        "gauge": Effect.COUNTS,
        "mail": Effect.NO_RECIPIENTS,
        "off": Effect.TARGET_DISABLED,
    }
    assert failed.is_told
    del rules["chat"]
    alone = by_name(hearings_of(audience(group("g", rules)), TANK, (), NOW))["backup.failed"]
    assert not alone.is_told


def test_a_silence_is_named_and_changes_nothing_of_who_hears_else() -> None:
    heard = table(group("g", {"chat": "type = backup.failed"}))
    found = by_name(hearings_of(Audience(heard), TANK, armed([SILENCE]), NOW))
    assert found["backup.failed"].is_told
    assert found["backup.failed"].silence_id == "sil-4"
    assert not found["sync.failed"].is_told
    elsewhere = by_name(hearings_of(Audience(heard), "/datastore/other", armed([SILENCE]), NOW))
    assert not elsewhere["backup.failed"].silence_id


def test_what_a_digest_gathers_is_told_by_it() -> None:
    plan = Digest(rule="severity <= notice")
    digested = replace(group("g", {"chat": "*"}), digest=plan)
    found = by_name(hearings_of(audience(digested), TANK, (), NOW))
    assert [each.target for each in found["backup.completed"].gathered] == ["chat"]
    assert found["backup.completed"].is_told
    assert not found["backup.failed"].gathered


def test_a_hundred_datastores_with_thirty_groups_are_asked_in_50_ms() -> None:
    groups = [
        replace(
            group(f"g{number}", {"chat": "severity >= warning", "mail": "type = verify.corrupt"}),
            scope=Scope.ATTACHED,
            attachments=(f"/datastore/d{number}", f"/datastore/d{number + 30}"),
        )
        for number in range(30)
    ]
    routing = table(*groups, group("all", {"gauge": "*", "chat": "severity >= error"}))
    places = [f"/datastore/d{number}" for number in range(100)]

    def once() -> float:
        begin = process_time()
        asked = Audience(routing)
        for place in places:
            hearings_of(asked, place, armed([SILENCE]), NOW)
        return process_time() - begin

    assert min(once() for _ in range(5)) < 0.05
