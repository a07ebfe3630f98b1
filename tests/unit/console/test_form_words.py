"""What the services advise is said in the words of the forms, and never loses its meaning."""

from __future__ import annotations

import pytest

from ibs_notify.console.forms import faults_of
from ibs_notify.console.wording.form_words import advice, sentence, worded
from ibs_notify.delivery.transports.influxdb_verdict import _ADVICE as INFLUXDB_ADVICE
from ibs_notify.delivery.transports.webhook_verdict import WEBHOOK_ADVICE
from ibs_notify.domain.errors import FieldViolation, InvalidArgument


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "the server does not offer STARTTLS; use --tls implicit, or --tls none",
            "the server does not offer STARTTLS; choose implicit TLS; without TLS a password "
            "would travel in clear text",
        ),
        (
            "webhook.headers[authorization] will travel in clear text: the URL is not https",
            "the header authorization will travel in clear text: the URL is not https",
        ),
        (
            "influxdb.token will travel in clear text: the URL is not https",
            "the token will travel in clear text: the URL is not https",
        ),
        (
            "target 'm' has no from address, and the setting sender is empty",
            "target 'm' has no from address, and Sender in Settings is empty",
        ),
        (
            "/datastore/a is not attached to group ops; to attach it: ironcore-backup "
            "notification group attach ops --resource '/datastore/a b'; and the severity differs",
            "/datastore/a is not attached to group ops; attach it on the page of the datastore; "
            "and the severity differs",
        ),
        (
            "name ops in the event's groups, or let it hear everything: ironcore-backup "
            "notification group update ops --scope everything",
            "name ops in the event's groups, or let it hear everything, by its Scope",
        ),
        ("550 --no such user--", "550 --no such user--"),
    ],
)
def test_flags_and_paths_are_called_as_in_the_forms(said: str, meant: str) -> None:
    assert worded(said) == meant


@pytest.mark.parametrize("said", [*WEBHOOK_ADVICE.values(), *INFLUXDB_ADVICE.values()])
def test_no_advice_of_a_test_names_a_flag(said: str) -> None:
    assert "--" not in worded(said)


def test_an_advice_that_is_a_command_is_said_to_be_one() -> None:
    command = "ironcore-backup notification ledger verify"
    assert advice(command) == f"On the command line: {command}"
    assert advice("rotate with --force") == "On the command line: rotate with --force"
    assert advice("try again when Delivery runs, or delete it with --force") == (
        "try again when Delivery runs, or delete it all the same"
    )
    assert advice("wait a little") == "wait a little"


def test_what_a_service_says_begins_with_a_capital_and_a_name_stays_a_name() -> None:
    assert sentence("the password will travel in clear text") == (
        "The password will travel in clear text"
    )
    assert sentence("group 'ops-team' was changed") == "Group 'ops-team' was changed"
    assert sentence("ops-smtp is saved") == "ops-smtp is saved"
    assert sentence("group-a is saved") == "group-a is saved"


def test_a_field_that_no_form_has_is_not_called_by_its_path() -> None:
    violations = [
        FieldViolation("target.webhook.headers[authorization]", "must be given again"),
        FieldViolation("settings.default_recipients", "names nobody"),
    ]
    faults = faults_of(InvalidArgument.of(violations), {})
    assert faults.summary == (
        "Header authorization: must be given again; Default recipients: names nobody"
    )
