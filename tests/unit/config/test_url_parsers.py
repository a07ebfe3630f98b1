"""The validator and the client read a URL alike: what was checked is what is dialled."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from ibs_notify.config.syntax import url_problem
from ibs_notify.domain.moves import origin_of

PIECES = (
    "http://",
    "example.org",
    "EXAMPLE.org",
    "127.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "0x7f.1",
    "127.1",
    "2130706433",
    "0177.0.0.1",
    "xn--",
    "ⓛocalhost",
    "127。0。0。1",
    "%2e",
    "%00",
    "%40",
    ":80",
    ":080",
    ":0",
    ":65536",
    *"@\\#?/:.%[]_-;,'\"<*~!$&(= \t",
)
urls = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@given(st.one_of(urls, urls.map("http://{}".format), urls.map("https://user@{}".format)))
def test_an_accepted_url_has_one_origin_for_every_reader(url: str) -> None:
    if url_problem(url):
        return
    checked, dialled = origin_of(url), URL(url)
    host = (dialled.raw_host or "").removesuffix(".")
    if ":" in checked.host:
        assert ip_address(host) == ip_address(checked.host)
    else:
        assert host == checked.host == (urlsplit(url).hostname or "").removesuffix(".")
    assert (dialled.scheme, dialled.port) == (checked.scheme, checked.port)
    assert dialled.user is None


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org[::1]/",
        "http://[::1]example.org/",
        "http://[::1].example.org/",
        "http://example.org\\@127.0.0.1/",
        "http://127.0.0.1\\.example.org/",
        "http://example.org@127.0.0.1/",
        "http://user:word@example.org/",
        "http://example.org#@127.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://127.1/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://2130706433/",
        "http://127.0.0.1%2eexample.org/",
        "http://ⓛocalhost/",
        "http://127。0。0。1/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:99999999/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/_MAIL",
        "unix:///run/docker.sock",
        "http:///127.0.0.1/",
        "http:127.0.0.1/",
        "//127.0.0.1/",
        "http://127.0.0.1\r\nHost: x/",
    ],
)
def test_an_ambiguous_url_is_refused(url: str) -> None:
    assert url_problem(url)
