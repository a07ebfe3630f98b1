"""Hosts, addresses, URLs and headers are checked before anything is sent there."""

from __future__ import annotations

import pytest

from ibs_notify.config import syntax


@pytest.mark.parametrize(
    "host", ["smtp.example.com", "localhost", "mail_1", "192.0.2.1", "2001:db8::1", "[::1]", "a."]
)
def test_host_names_and_addresses_are_hosts(host: str) -> None:
    assert syntax.host_problem(host) == ""


@pytest.mark.parametrize(
    "host",
    [
        "",
        "smtp.<your-domain>",
        "a b",
        "a\r\nb",
        "-a.example",
        "a..b",
        "127.1",
        "2130706433",
        "0x7f.0x1",
        "256.1.1.1",
        "bücher.example",
        "x" * 64,
        "host:25",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    assert syntax.host_problem(host) != ""


@pytest.mark.parametrize(
    "url", ["https://chat.example.com/hook?x=1", "http://127.0.0.1:8080", "https://[2001:db8::1]/"]
)
def test_web_addresses_with_a_host_are_urls(url: str) -> None:
    assert syntax.url_problem(url) == ""


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "missing"),
        ("ftp://example.com", "http"),
        ("chat.example.com/hook", "http"),
        ("https://user:pass@example.com/", "header instead"),
        ("https://@example.com/", "header instead"),
        ("https:///path", "no host"),
        ("https://example.com:99999/", "no URL"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com/#part", "fragment"),
        ("https://exa\nmple.com/", "control"),
        ("https://example.com/a b", "blanks"),
        ("https://example.com/" + "a" * 2048, "at most 2048"),
        ("https://127.1/", "IPv4"),
        ("https://[::1/", "no URL"),
        ("http://[::1].evil.example/", "neither a host name nor an IP"),
    ],
)
def test_the_fault_of_a_url_is_said(url: str, problem: str) -> None:
    assert problem in syntax.url_problem(url)


@pytest.mark.parametrize(
    "address",
    [
        "ops@example.com",
        "root@localhost",
        "Operations <ops@example.com>",
        '"Doe, J." <j.doe+ibs@example.com>',
        "Bücher <ops@example.com>",
        "<ops@example.com>",
    ],
)
def test_addresses_with_and_without_names_are_taken(address: str) -> None:
    assert syntax.address_problem(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ops",
        "@example.com",
        "ops@",
        "a b@example.com",
        "a@b@example.com",
        "ops@example.com, root@example.com",
        "ops@example.com\r\nBcc: x@example.com",
        "ops@example.com\0",
        "Doe, J. <ops@example.com>",
        "Ops <ops@example.com",
        ".ops@example.com",
        "x" * 65 + "@example.com",
        "ops@bad domain",
        "ops@example.com.",
        "Ops <ops@example.com.>",
    ],
)
def test_what_is_no_single_address_is_refused(address: str) -> None:
    assert syntax.address_problem(address) != ""


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Content-Type"])
def test_headers_that_the_service_sets_are_refused(name: str) -> None:
    assert "set by the service" in syntax.header_name_problem(name)


@pytest.mark.parametrize("name", ["", "X Key", "X:Key", "X\r\nKey", "Ü"])
def test_what_is_no_token_is_no_header_name(name: str) -> None:
    assert "no header name" in syntax.header_name_problem(name)


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\0b"])
def test_a_header_value_cannot_break_out_and_is_not_repeated(value: str) -> None:
    problem = syntax.header_value_problem(value)
    assert "control character" in problem
    assert value not in problem


def test_a_private_key_is_no_certificate() -> None:
    assert "private key" in syntax.pem_problem("-----BEGIN PRIVATE KEY-----")
    assert "no readable" in syntax.pem_problem("hello")
