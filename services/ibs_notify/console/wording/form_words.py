"""What the services advise in the words of the command line, in the words of the forms."""

from __future__ import annotations

import re
from typing import Final

_KNOWN: Final = (
    (
        "use --tls implicit, or --tls none",
        "choose implicit TLS; without TLS a password would travel in clear text",
    ),
    (
        "renew the header with target update --header",
        "write its value again under Headers of the target",
    ),
    (
        "check the header with target update --header",
        "check the Headers of the target",
    ),
    ("renew it with target update --token-file", "write the Token of the target again"),
    ("(check --username and --password-file)", "(check Username and Password)"),
    ("check the target's --url, --org and --bucket", "check URL, Organisation and Bucket"),
    ("check the target's --url", "check the URL of the target"),
    ("check the target's --method", "check the Method of the target"),
    ("check the target's --content-type", "check the Content type of the target"),
    ("a private CA is given with --ca-file", "a private CA belongs into CA certificates"),
    ("set it with --from or the setting sender", "set From, or Sender in Settings"),
    ("or delete it with --force, which", "or delete it all the same, which"),
    ("or delete it with --force", "or delete it all the same"),
    ("token list --all shows every one", "Tokens shows every one"),
    ("list those that there are with: silence list --all", "Silences shows those that there are"),
    ("the body for --preset ", "the body of the preset "),
    (
        "target's recipients or default_recipients",
        "target's own, or Default recipients in Settings",
    ),
    ("the setting default_recipients", "Default recipients in Settings"),
    ("the setting sender", "Sender in Settings"),
    ("neither the subscription nor", "neither this group nor"),
    ("mail of subscriptions without their own recipients", "mail of groups without recipients"),
)
_HEADERS: Final = re.compile(r"\bwebhook\.headers\[([^\]]{1,200})\]")
_SECRETS: Final = re.compile(r"\b(?:influxdb|pushgateway|webhook|smtp)\.(\w{1,40})(?=,| will )")
_TO_ATTACH: Final = re.compile(
    r"to attach it: ironcore-backup notification group attach \S+ --resource (?:'[^']*'|\S+)"
)
_TO_WIDEN: Final = re.compile(r": ironcore-backup notification group update \S+ --scope everything")
_OPENING: Final = re.compile(
    r"(?:the|a|an|all|any|at|by|each|every|from|group|header|it|its|mail|nobody|no|none|nothing|of|"
    r"resource|rule|silence|so|some|somebody|target|there|this|token|unknown|with|without)\b(?![-.])"
)
_COMMAND: Final = re.compile(r"(?:^|[\s(])--[a-z]|^ironcore-backup |\b[a-z]+ list --")


def sentence(text: str) -> str:
    """``text`` of a service with a capital at its beginning, where that is a word of ours: what is
    called by its name keeps it.
    """
    meant = worded(text)
    return meant[:1].upper() + meant[1:] if _OPENING.match(meant) else meant


def worded(text: str) -> str:
    """``text`` with what is known of it as the forms call it; the rest as it is."""
    for said, meant in _KNOWN:
        text = text.replace(said, meant)
    text = _TO_ATTACH.sub("attach it on the page of the datastore", text)
    text = _TO_WIDEN.sub(", by its Scope", text)
    text = _HEADERS.sub(r"the header \1", text)
    return _SECRETS.sub(lambda found: f"the {found[1].replace('_', ' ')}", text)


def advice(text: str) -> str:
    """The same of an advice; one that is a command after all is said to be one."""
    meant = worded(text)
    return f"On the command line: {meant}" if _COMMAND.search(meant) else meant
