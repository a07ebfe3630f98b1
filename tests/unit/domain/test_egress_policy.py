"""Where targets may reach: every special range, every disguise, and the ports of our own."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibs_notify.domain.address_ranges import RANGES, Kind, ends_of, range_of
from ibs_notify.domain.egress import (
    EgressPolicy,
    OwnEndpoint,
    Ruling,
    judge,
    never_reached,
    parse_policy,
)

EVERYTHING = parse_policy("public, private, loopback, 0.0.0.0/0, ::/0", "production")
DEVELOPMENT = parse_policy("", "development")
PRODUCTION = parse_policy("", "production")

NEVER = [
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("169.254.169.254", "metadata"),
    ("169.254.0.1", "link-local"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "protocols"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("192.88.99.1", "6to4"),
    ("198.18.0.1", "benchmark"),
    ("198.19.255.255", "benchmark"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::ffff:0.0.0.0", "unspecified"),
    ("::ffff:0:127.0.0.1", "IPv4-translated"),
    ("64:ff9b::169.254.169.254", "metadata"),
    ("64:ff9b:1::127.0.0.1", "local form of an IPv4 address"),
    ("64:ff9b:1:a9fe:a9:fe00::", "local form of an IPv4 address"),
    ("100::1", "discard"),
    ("100:0:0:1::1", "dummy"),
    ("2001::1", "Teredo"),
    ("2001:0:53aa:64c:0:fbff:5601:5601", "Teredo"),
    ("2001:2::1", "benchmark"),
    ("2001:20::1", "protocols"),
    ("2001:db8::1", "documentation"),
    ("2002:a9fe:a9fe::1", "6to4"),
    ("2002:808:808::1", "6to4"),
    ("3fff::1", "documentation"),
    ("4000::1", "not assigned"),
    ("5f00::1", "routing"),
    ("fd00:ec2::254", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("fd00:42::42", "metadata"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("febf::1", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("fe80::5efe:10.0.0.1", "link-local"),
    ("2606:4700::5efe:169.254.169.254", "metadata"),
    ("2606:4700::200:5efe:169.254.169.254", "metadata"),
]


@pytest.mark.parametrize(("host", "words"), NEVER)
def test_no_list_opens_what_no_notification_is_for(host: str, words: str) -> None:
    judgement = judge(EVERYTHING, host, 443)
    assert judgement.ruling is Ruling.NEVER_ALLOWED
    assert words in judgement.why
    assert never_reached(host)


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("8.8.8.8", Kind.PUBLIC),
        ("100.63.255.255", Kind.PUBLIC),
        ("100.128.0.0", Kind.PUBLIC),
        ("172.15.255.255", Kind.PUBLIC),
        ("172.32.0.0", Kind.PUBLIC),
        ("::ffff:8.8.8.8", Kind.PUBLIC),
        ("64:ff9b::8.8.8.8", Kind.PUBLIC),
        ("2606:4700::1111", Kind.PUBLIC),
        ("2001:4860:4860::8888", Kind.PUBLIC),
        ("10.0.0.1", Kind.PRIVATE),
        ("172.16.0.1", Kind.PRIVATE),
        ("172.31.255.255", Kind.PRIVATE),
        ("192.168.1.1", Kind.PRIVATE),
        ("100.64.0.1", Kind.PRIVATE),
        ("fc00::1", Kind.PRIVATE),
        ("fd12:3456::1", Kind.PRIVATE),
        ("::ffff:10.0.0.1", Kind.PRIVATE),
        ("64:ff9b::10.0.0.1", Kind.PRIVATE),
        ("2606:4700::5efe:10.0.0.1", Kind.PRIVATE),
        ("127.0.0.1", Kind.LOOPBACK),
        ("127.255.255.254", Kind.LOOPBACK),
        ("::1", Kind.LOOPBACK),
        ("::ffff:127.0.0.1", Kind.LOOPBACK),
        ("64:ff9b::127.0.0.1", Kind.LOOPBACK),
    ],
)
def test_the_rest_is_reached_where_its_kind_is_listed_and_nowhere_else(
    host: str, kind: Kind
) -> None:
    public_too = f"{kind}, public" if "5efe" in host else kind
    assert judge(parse_policy(public_too, "production"), host, 443).ruling is Ruling.ALLOWED
    others = ", ".join({Kind.PUBLIC, Kind.PRIVATE, Kind.LOOPBACK} - {kind})
    judgement = judge(parse_policy(others, "development"), host, 443)
    assert judgement.ruling is Ruling.NOT_LISTED
    assert "egress_allow" in judgement.why
    assert judge(parse_policy("none", "development"), host, 443).ruling is Ruling.NOT_LISTED
    assert never_reached(host) == ""


@pytest.mark.parametrize(
    ("policy", "kinds"),
    [
        (DEVELOPMENT, {Kind.PUBLIC, Kind.PRIVATE, Kind.LOOPBACK}),
        (PRODUCTION, {Kind.PUBLIC, Kind.PRIVATE}),
    ],
)
def test_an_empty_list_is_that_of_the_profile(policy: EgressPolicy, kinds: set[Kind]) -> None:
    samples = {"1.1.1.1": Kind.PUBLIC, "10.1.1.1": Kind.PRIVATE, "127.0.0.1": Kind.LOOPBACK}
    reached = {
        kind for host, kind in samples.items() if judge(policy, host, 80).ruling is Ruling.ALLOWED
    }
    assert reached == kinds


@pytest.mark.parametrize(
    ("host", "ruling"),
    [
        ("10.20.0.1", Ruling.ALLOWED),
        ("10.21.0.1", Ruling.NOT_LISTED),
        ("::ffff:10.20.0.1", Ruling.ALLOWED),
        ("93.184.215.14", Ruling.ALLOWED),
        ("93.184.215.15", Ruling.NOT_LISTED),
        ("127.0.0.1", Ruling.NOT_LISTED),
        ("fd00:1::9", Ruling.ALLOWED),
        ("fd00:2::9", Ruling.NOT_LISTED),
    ],
)
def test_a_list_of_networks_holds_these_alone(host: str, ruling: Ruling) -> None:
    policy = parse_policy("10.20.0.0/16, 93.184.215.14/32,fd00:1::/32", "development")
    assert judge(policy, host, 443).ruling is ruling


@pytest.mark.parametrize(
    ("allow", "words"),
    [
        ("localhost", "'localhost' is neither a network"),
        ("10.0.0.1/8", "host bits"),
        ("10.0.0.0/33", "neither a network"),
        ("none, public", "none stands alone"),
        ("169.254.0.0/16", "link-local or metadata address"),
        ("169.254.169.254", "link-local or metadata address"),
        ("::ffff:10.0.0.0/104", "the IPv6 form of an IPv4 address"),
        ("fe80::/10", "link-local"),
        ("4000::/3", "not assigned"),
        ("public; private", "neither a network"),
    ],
)
def test_what_is_wrong_in_a_list_is_said(allow: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_policy(allow, "production")


OWN = (
    OwnEndpoint("127.0.0.1", 50051),
    OwnEndpoint("10.1.1.1", 50052),
    OwnEndpoint("config.example", 50053),
    OwnEndpoint("localhost", 5432),
    OwnEndpoint("0.0.0.0", 50061),
    OwnEndpoint("::", 50062),
    OwnEndpoint("fd00::5", 50063),
    OwnEndpoint("::ffff:10.1.1.1", 50064),
)
WITH_OWN = parse_policy("public, private, loopback", "production", OWN)


@pytest.mark.parametrize(
    ("host", "port", "is_here", "ruling"),
    [
        ("127.0.0.1", 50051, False, Ruling.OWN_PORT),
        ("127.9.9.9", 50051, False, Ruling.OWN_PORT),
        ("::1", 50051, False, Ruling.OWN_PORT),
        ("::ffff:127.0.0.1", 50051, False, Ruling.OWN_PORT),
        ("64:ff9b::7f00:1", 50051, False, Ruling.OWN_PORT),
        ("10.9.9.9", 50051, True, Ruling.OWN_PORT),
        ("8.8.8.8", 50051, True, Ruling.OWN_PORT),
        ("10.9.9.9", 50051, False, Ruling.ALLOWED),
        ("127.0.0.1", 50060, True, Ruling.ALLOWED),
        ("10.1.1.1", 50052, False, Ruling.OWN_PORT),
        ("10.1.1.2", 50052, False, Ruling.ALLOWED),
        ("172.20.0.3", 50053, False, Ruling.OWN_PORT),
        ("8.8.8.8", 50053, False, Ruling.ALLOWED),
        ("127.0.0.1", 5432, False, Ruling.OWN_PORT),
        ("10.9.9.9", 5432, True, Ruling.OWN_PORT),
        ("10.9.9.9", 5432, False, Ruling.ALLOWED),
        ("10.9.9.9", 50061, False, Ruling.OWN_PORT),
        ("10.9.9.9", 50062, False, Ruling.OWN_PORT),
        ("8.8.8.8", 50061, False, Ruling.ALLOWED),
        ("fd00::5", 50063, False, Ruling.OWN_PORT),
        ("fd00::5%2", 50063, False, Ruling.OWN_PORT),
        ("fd00::6", 50063, False, Ruling.ALLOWED),
        ("10.1.1.1", 50064, False, Ruling.OWN_PORT),
    ],
)
def test_the_services_and_databases_themselves_are_no_targets(
    host: str, port: int, is_here: bool, ruling: Ruling
) -> None:
    assert judge(WITH_OWN, host, port, is_here=is_here).ruling is ruling


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.01", "1.2.3.4 "],
)
def test_only_a_plain_address_is_dialled(text: str) -> None:
    assert judge(EVERYTHING, text, 80).ruling is Ruling.NO_ADDRESS


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_judged_alike_in_every_form_that_reaches_it(number: int) -> None:
    plain = IPv4Address(number)
    for prefix in (0xFFFF << 32, 0x64FF9B << 96):
        assert list(ends_of(IPv6Address(prefix | number))) == [plain]
    for policy in (DEVELOPMENT, PRODUCTION):
        forms = (str(plain), f"::ffff:{plain}", f"64:ff9b::{plain}")
        assert len({judge(policy, form, 80).ruling for form in forms}) == 1


@given(st.integers(0, 2**128 - 1))
def test_every_address_has_a_range_that_holds_it(number: int) -> None:
    address = ip_address(number)
    assert address in range_of(address).network


def test_nothing_in_the_table_that_is_not_public_is_open_to_a_list_of_public_addresses() -> None:
    policy = parse_policy("public", "production")
    for each in RANGES:
        if each.kind is not Kind.PUBLIC:
            ends = (each.network.network_address, each.network.broadcast_address)
            for host in map(str, ends):
                assert judge(policy, host, 443).ruling is not Ruling.ALLOWED, host
