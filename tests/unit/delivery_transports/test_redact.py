from __future__ import annotations

import base64

import pytest

from ibs_notify.delivery.transports.redact import MOST_REPLY, Redactor, redact, shown_url


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "said",
    [
        "hunter22/x",
        b64("hunter22/x"),
        b64("\0user\0hunter22/x"),
        b64("user:hunter22/x"),
        "hunter22%2Fx",
        f"before{b64('hunter22/x')}after",
    ],
)
def test_every_form_of_a_secret_is_masked(said: str) -> None:
    clean = Redactor(["hunter22/x"], username="user")(f"got <{said}>")
    assert said not in clean
    assert "****" in clean


@pytest.mark.parametrize(
    "said",
    [
        r'{"token":"a\/b<c&d\"e"}',
        r'{"token":"a/b\u003cc\u0026d\"e"}',
        "<p>a/b&lt;c&amp;d&quot;e</p>",
        '<p>a/b&lt;c&amp;d"e</p>',
        "at /a/b%3Cc%26d%22e",
    ],
)
def test_a_secret_is_masked_as_others_escape_it(said: str) -> None:
    clean = redact(said, ['a/b<c&d"e'])
    assert "c" not in clean.replace("token", "")
    assert "****" in clean


def test_the_token_of_an_authorization_header_is_masked_without_its_scheme() -> None:
    assert redact("bad token abc-123", ["Bearer abc-123"]) == "bad token ****"


def test_the_password_inside_basic_credentials_is_masked() -> None:
    assert (
        redact("user ops with pa55word", [f"Basic {b64('ops:pa55word')}"]) == "user ops with ****"
    )


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    assert redact("abcdef", ["abc", "abcdef"]) == "****"


def test_a_short_secret_is_masked_too() -> None:
    assert redact("pin 7b!", ["7b!"]) == "pin ****"


def test_without_secrets_the_text_stays() -> None:
    assert redact("550 no such user", []) == "550 no such user"
    assert redact("550 no such user", [""]) == "550 no such user"


def test_control_characters_and_line_breaks_become_spaces() -> None:
    assert redact("a\r\nb\x1b[31mc\0d\u2028e", []) == "a b [31mc d e"


def test_a_long_reply_is_cut_to_a_kibibyte_between_characters() -> None:
    clean = redact("ä" * 5000, [])
    assert len(clean.encode()) <= MOST_REPLY
    assert clean.endswith("ä…")


def test_a_secret_at_the_cut_is_not_left_in_half() -> None:
    clean = redact("x" * (MOST_REPLY - 8) + "canary-secret", ["canary-secret"])
    assert "can" not in clean


def test_a_url_in_a_reply_loses_user_info_and_query() -> None:
    said = "see https://u:p@example.org/help?token=1#x for more"
    assert redact(said, []) == "see https://****@example.org/help?**** for more"


def test_the_path_and_query_of_the_targets_own_url_are_secrets() -> None:
    clean = Redactor([], url="https://chat.example.org/services/T0001/B0001/xyzzy12345?key=abcd")
    assert clean("no hook /services/T0001/B0001/xyzzy12345 here") == "no hook **** here"
    assert clean("unknown xyzzy12345") == "unknown ****"
    assert clean("key=abcd") == "****"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@example.org/secret?x=1", "https://example.org/…"),
        ("http://example.org:8080/", "http://example.org:8080/…"),
        ("https://[::1]:8443/x", "https://[::1]:8443/…"),
        ("http://[::1", "(not a URL)"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown
