"""The command tree of ``ironcore-backup``."""

from __future__ import annotations

import click

from ibs_notify.cli.completion import PROGRAM
from ibs_notify.cli.errors import EXIT_CODES, RootGroup
from ibs_notify.cli.lazy import Lazy, LazyGroup

_SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}


@click.group(
    "notification",
    cls=LazyGroup,
    epilog=EXIT_CODES,
    lazy={
        "target": Lazy("target:target", "Where notifications go: mail, HTTP, metric servers."),
        "group": Lazy("group:group", "Who hears of what: targets and their rules."),
        "template": Lazy("template:template", "How messages read: preview and built-in templates."),
        "settings": Lazy("settings:settings", "Default recipients, public address, time zone."),
        "rule": Lazy("rule:rule", "Check a rule."),
        "emit": Lazy("emit:emit", "Say that something happened."),
        "inbox": Lazy("inbox:inbox", "What you have not read yet; follow it, mark it."),
        "event": Lazy("event:event", "What happened, and what became of it."),
        "explain": Lazy("explain:explain", "Who hears of an event, who does not, and why."),
        "silence": Lazy("silence:silence", "Times in which nobody is told of some events."),
        "coverage": Lazy("coverage:coverage", "What nobody hears of, and who cannot be told."),
        "digest": Lazy("digest:digest", "What is gathered, and when it is sent."),
        "delivery": Lazy("delivery:delivery", "What was sent, waits or was given up."),
        "ledger": Lazy("ledger:ledger", "Check that every event is accounted for."),
        "token": Lazy("token:token", "Who may call the services, and what they may do."),
        "event-types": Lazy("event_types:event_types", "The known types of events."),
        "status": Lazy("status:status", "Whether the services serve."),
        "completion": Lazy("completion:completion", "Completion for bash, zsh and fish."),
    },
)
def notification() -> None:
    """Notifications: who hears of each backup event, and the proof that they did.

    \b
    Examples:
      ironcore-backup notification status
      ironcore-backup notification target create --help
      ironcore-backup notification emit --type backup.failed \\
        --subject "Backup failed for vm/12345"
    """


@click.group(
    PROGRAM,
    cls=RootGroup,
    epilog=EXIT_CODES,
    context_settings=_SETTINGS,
    lazy={"notification": Lazy("tree:notification", "Who hears of each backup event.")},
)
@click.version_option(package_name="ibs-notify")
def root() -> None:
    """Ironcore Backup Solution on the command line.

    \b
    Example:
      ironcore-backup notification --help
    """
