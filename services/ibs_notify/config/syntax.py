"""What hosts, addresses, URLs and headers look like. A check answers what is wrong, or ""."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

MAX_URL: Final = 2048
MAX_HEADER_NAME: Final = 128
MAX_HEADER_VALUE: Final = 8192
MAX_PEM: Final = 64 * 1024

_NO_HOST: Final = "is neither a host name nor an IP address"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
# What follows http://: an IPv6 address in brackets or a name, and a port. Nothing else, since the
# libraries disagree on what is the host of the rest, such as name[::1] or name\@other.
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^][:%\\]+)(:[0-9]{0,5})?")
# RFC 5322, 3.2.3: atext, joined by dots.
_LOCAL_PART: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
)
_NAMED_ADDRESS: Final = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>\s*")
_QUOTED_NAME: Final = re.compile(r'"([^"\\]|\\.)*"')
_SPECIALS: Final = re.compile(r'[][()<>:;@\\,"]')
# RFC 9110, 5.6.2.
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OUR_HEADERS: Final = {
    "host": "it follows from the URL",
    "content-length": "it follows from the body",
    "transfer-encoding": "it follows from the body",
    "content-type": "use content_type",
}


def host_problem(host: str) -> str:
    """Of a host name (RFC 1123, with underscores) or an IP address."""
    if not host:
        return "is missing"
    if _CONTROL.search(host) or " " in host:
        return "contains blanks or control characters"
    if not host.isascii():
        return "is not ASCII; write an international name in its xn-- form"
    if host.startswith("[") or ":" in host:
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        return "" if _is_ip(bare, 6) else _NO_HOST
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return _NO_HOST
    # 127.1 and 0x7f.1 are read as addresses by some libraries and as names by others.
    numeric = labels[-1].isdigit() or labels[-1].lower().startswith("0x")
    if numeric and not _is_ip(host, 4):
        return "ends in a number and is no IPv4 address of four decimal parts"
    return ""


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def url_problem(url: str) -> str:
    """Of an http or https URL with a host and without credentials or fragment."""
    if not url:
        return "is missing"
    if len(url) > MAX_URL:
        return f"has {len(url)} characters; at most {MAX_URL}"
    # urlsplit silently drops line breaks, so they are looked for first.
    if _CONTROL.search(url) or re.search(r"\s", url) or not url.isascii():
        return "contains blanks, control or non-ASCII characters; percent-encode them"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return f"is no URL: {error}"
    if parts.scheme not in ("http", "https"):
        return "does not begin with http:// or https://"
    if "@" in parts.netloc:
        return "contains a user name or password; use a header instead, since URLs are shown"
    if not host:
        return "has no host"
    if port == 0:
        return "has the port 0; ports are 1 to 65535"
    if parts.fragment:
        return "has a fragment (#…), which is never sent"
    problem = _NO_HOST if not _AUTHORITY.fullmatch(parts.netloc) else host_problem(host)
    return f"has a host that {problem}" if problem else ""


def base_url_problem(url: str) -> str:
    """As ``url_problem``, of a URL below which a server's API is."""
    if problem := url_problem(url):
        return problem
    return "has a query (?…), to which no path can be added" if urlsplit(url).query else ""


def address_problem(text: str) -> str:
    """Of a mail address: ``user@host`` (RFC 5321, 4.1.2) or ``Name <user@host>``."""
    if not text.strip():
        return "is empty"
    if _CONTROL.search(text):
        return "contains a line break or another control character"
    named = _NAMED_ADDRESS.fullmatch(text)
    address = named["address"] if named else text
    if named and _name_problem(named["name"].strip()):
        return _name_problem(named["name"].strip())
    local, at, domain = address.rpartition("@")
    if not at or any(blank in address for blank in " <>,;"):
        return "is no mail address; write user@example.com or Name <user@example.com>"
    if not local.isascii() or not _LOCAL_PART.fullmatch(local) or len(local) > 64:
        return "has a part before the @ that is no mail user"
    if len(address) > 254:
        return "is longer than the 254 characters of a mail address"
    # A final dot is for resolvers; no mail address has one.
    is_odd = ":" in domain or domain.endswith(".")
    problem = "is no host name" if is_odd else host_problem(domain)
    return f"has a part after the @ that {problem}" if problem else ""


def _name_problem(name: str) -> str:
    if len(name) > 200:
        return "has a display name of more than 200 characters"
    if _QUOTED_NAME.fullmatch(name) or not _SPECIALS.search(name):
        return ""
    return 'has a display name with special characters; put it in double quotes: "Doe, J." <…>'


def header_name_problem(name: str) -> str:
    """Of the name of a header that a webhook may set."""
    if not _TOKEN.fullmatch(name) or len(name) > MAX_HEADER_NAME:
        return f"is no header name: letters, digits and -, at most {MAX_HEADER_NAME} characters"
    why = _OUR_HEADERS.get(name.lower())
    return f"is set by the service ({why})" if why else ""


def header_value_problem(value: str) -> str:
    """Of a header's value (RFC 9110, 5.5). Never says what the value is."""
    if len(value) > MAX_HEADER_VALUE:
        return f"has {len(value)} characters; at most {MAX_HEADER_VALUE}"
    if any(ord(character) < 32 and character != "\t" for character in value) or "\x7f" in value:
        return "contains a line break or another control character"
    return "" if value.isascii() else "contains characters that are not ASCII"


def text_problem(text: str, most: int, *, required: bool = False) -> str:
    """Of a word that goes on a line of a protocol."""
    if required and not text:
        return "is missing"
    if len(text) > most:
        return f"has {len(text)} characters; at most {most}"
    return "contains a line break or another control character" if _CONTROL.search(text) else ""


def pem_problem(pem: str) -> str:
    """Of certificates in PEM; an empty text is no certificates, which is right."""
    if not pem:
        return ""
    if len(pem) > MAX_PEM:
        return f"has {len(pem)} characters; at most {MAX_PEM}"
    if "PRIVATE KEY" in pem:
        return "contains a private key; give the authority's certificates only"
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return "contains no readable PEM certificate (-----BEGIN CERTIFICATE-----)"
    return ""
