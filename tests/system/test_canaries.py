"""Secrets go in and do not come out: a canary in each kind of secret, and a look everywhere.

The rpcs of reading are found by the descriptors, so one that is added is read too. A decoy, which
is no secret, shows that each surface would give away a canary that is in it.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.field_mask_pb2 import FieldMask

from ibs_notify.cli.tree import notification
from ibs_notify.settings import SERVICES, ServiceName
from ironcore.notification.v1 import config_service_pb2 as pb
from ironcore.notification.v1 import event_pb2, router_service_pb2, target_pb2
from ironcore.notification.v1.group_pb2 import Subscription
from ironcore.notification.v1.target_pb2 import Target
from ironcore.notification.v1.token_pb2 import Role, Token
from tests.system.canaries import DECOY, Canaries, Search, decoy
from tests.system.echoing_peers import EchoingPeers
from tests.system.installation import DRAIN_POLL_SECONDS, Installation, until
from tests.system.reading import Recorder
from tests.system.secured_installation import SecuredInstallation

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(480)]

EXTRA = {
    "IBS_NOTIFY_LOG_LEVEL": "debug",
    "GRPC_VERBOSITY": "debug",
    "GRPC_TRACE": "http,call_error,channel",
}
STATUSES = (204, 400, 401, 500)
CLI_SECONDS = 60.0
READING = (
    "target show TARGET",
    "group show everybody",
    "group status everybody",
    "event show EVENT",
    "explain EVENT --verbose",
    "delivery show DELIVERY",
    "template preview --event EVENT --target TARGET",
)
"""Beside them all that needs no argument, found in the tree of commands."""
SHOWING = ("list", "show", "status", "verify", "count", "coverage")


def commands_without_arguments(
    command: click.Command, context: click.Context, *path: str
) -> Iterator[tuple[str, ...]]:
    """Every command that shows something and takes ``-o``."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands_without_arguments(inner, context, *path, name)
    elif path[-1] in SHOWING and _needs_nothing(command):
        yield path


def _needs_nothing(command: click.Command) -> bool:
    has_output = any(each.name == "output" for each in command.params)
    return has_output and not any(each.required for each in command.params)


@dataclass(slots=True)
class Planted:
    """An installation full of canaries. ``decoy`` stands in an event's subject, for all to see."""

    installation: Installation
    peers: EchoingPeers
    canaries: Canaries
    recorder: Recorder
    decoy: str = ""
    places: set[str] = field(default_factory=set)
    targets: list[Target] = field(default_factory=list)
    out: list[tuple[str, bytes]] = field(default_factory=list)

    def secret(self, what: str) -> str:
        return self.canaries.plant(what)

    def place(self, what: str) -> str:
        """Part of an address: of the configuration, and for who reads that; for nobody else."""
        canary = self.canaries.plant(what)
        self.places.add(what)
        return canary

    def cli(self, *arguments: str, stdin: str = "") -> bytes:
        """What a command prints, on both sides."""
        done = subprocess.run(
            [sys.executable, "-m", "ibs_notify.cli", "notification", *arguments],
            env=self.installation.environment,
            cwd=self.installation.home,
            input=stdin.encode(),
            capture_output=True,
            timeout=CLI_SECONDS,
            check=False,
        )
        said = done.stdout + done.stderr
        self.out.append((" ".join(arguments[:2]), said))
        return said


def header(name: str, value: str) -> target_pb2.Header:
    return target_pb2.Header(name=name, value=value)


def signing_secret(canary: str) -> str:
    """Its text in base64 is the canary: that is how it is given."""
    return f"whsec_{canary}{'A' * (44 - len(canary) - 1)}="


def http_targets(planted: Planted, status: int) -> Iterator[Target]:
    """One of each kind over HTTP, to a peer that answers ``status`` and all that it was told."""
    secret, url = planted.secret, planted.peers.url
    basic = base64.b64encode(f"ibs:{secret(f'basic password, {status}')}".encode()).decode()
    webhook, preset = target_pb2.WebhookTarget, target_pb2.WebhookPreset
    place = planted.place(f"path, {status}"), planted.place(f"query, {status}")
    yield Target(
        webhook=webhook(
            url=url(f"{status}/{place[0]}?key={place[1]}"),
            headers=[
                header("X-Api-Key", secret(f"header, {status}")),
                header("Authorization", f"Basic {basic}"),
                header("X-Odd", f'{secret(f"odd header, {status}")} +/=&"%41'),
            ],
            signing_secret=signing_secret(secret(f"signing secret, {status}")),
        )
    )
    for name in ("NTFY", "GOTIFY"):
        yield Target(
            webhook=webhook(
                preset=preset.Value(f"WEBHOOK_PRESET_{name}"),
                url=url(f"{status}/topic"),
                token=secret(f"{name} token, {status}"),
            )
        )
    yield Target(
        webhook=webhook(
            preset=preset.WEBHOOK_PRESET_SLACK,
            url=url(f"{status}/{planted.place(f'slack path, {status}')}"),
        )
    )
    yield Target(
        webhook=webhook(
            preset=preset.WEBHOOK_PRESET_TWILIO_SMS,
            url=url(f"{status}"),
            token=secret(f"twilio token, {status}"),
            account="AC" + "0" * 32,
            sender="+15005550006",
            recipient="+491701234567",
        )
    )
    yield Target(
        influxdb=target_pb2.InfluxDbTarget(
            url=url(f"{status}"), org="o", bucket="b", token=secret(f"influxdb token, {status}")
        )
    )
    yield Target(
        pushgateway=target_pb2.PushgatewayTarget(
            url=url(f"{status}"), username="ibs", password=secret(f"pushgateway password, {status}")
        )
    )
    yield Target(
        pushgateway=target_pb2.PushgatewayTarget(
            url=url(f"{status}/b"), bearer_token=secret(f"pushgateway bearer token, {status}")
        )
    )


def unreachable_targets(planted: Planted) -> Iterator[Target]:
    """To peers that fail before they are told anything: by name, by port, by certificate."""
    secret, place = planted.secret, planted.place
    ports = {"https without our CA": planted.peers.https_port, "TLS to clear text": 0}
    ports["TLS to clear text"] = planted.peers.http_port
    urls = {name: f"https://127.0.0.1:{port}" for name, port in ports.items()}
    urls |= {"no such host": "http://nothing.invalid", "nobody listens": "http://127.0.0.1:1"}
    for name, url in urls.items():
        yield Target(
            webhook=target_pb2.WebhookTarget(
                url=f"{url}/{place(f'path, {name}')}", headers=[header("X-Key", secret(name))]
            )
        )


def mail_target(planted: Planted) -> Target:
    return Target(
        smtp=target_pb2.SmtpTarget(
            server="127.0.0.1",
            port=planted.peers.mail_port,
            from_address="ibs@example.com",
            username="ibs",
            password=planted.secret("smtp password"),
            tls_mode=target_pb2.SMTP_TLS_MODE_NONE,
            recipients=["ops@example.com"],
        )
    )


def refused_targets(planted: Planted) -> Iterator[Target]:
    """Requests that cannot be carried out, with secrets in them and in what is wrong with them."""
    secret = planted.secret
    yield Target(smtp=target_pb2.SmtpTarget(server="", password=secret("of a refused mail target")))
    for url in ("http://u:{}@127.0.0.1/", "ftp://{}", "http://{} /", "http://[{}", "{}"):
        yield Target(
            webhook=target_pb2.WebhookTarget(
                url=url.format(secret(f"in the refused URL {url}")),
                headers=[header("X-Key", secret(f"beside the refused URL {url}"))],
            )
        )
    hook = target_pb2.WebhookTarget
    yield Target(webhook=hook(url="http://127.0.0.1/", signing_secret=secret("no signing secret")))
    bad = f"{secret('header with a line break')}\r\nX: y"
    yield Target(webhook=hook(url="http://127.0.0.1/", headers=[header("X-Key", bad)]))
    bad = secret("header's bad name")
    yield Target(webhook=hook(url="http://127.0.0.1/", headers=[header(f"X {bad}", "y")]))


@pytest.fixture(params=["plain", "secured"])
def planted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Planted]:
    peers, home = EchoingPeers(), tmp_path / "home"
    with ExitStack() as stack:
        stack.enter_context(peers.running())
        if request.param == "plain":
            installation = stack.enter_context(Installation(home, extra=EXTRA))
            others: list[dict[ServiceName, grpc.Channel]] = []
        else:
            secured = stack.enter_context(SecuredInstallation(home, EXTRA))
            installation, others = secured, [secured.channels(each) for each in SERVICES]
        installation.start_and_wait()
        channels = {name: installation.services[name].channel for name in SERVICES}
        planted = Planted(installation, peers, Canaries(), Recorder(channels, others))
        if isinstance(installation, SecuredInstallation):
            know_what_proves(planted, installation)
        yield planted


def know_what_proves(planted: Planted, installation: SecuredInstallation) -> None:
    """The private keys, and a token of each role, which is shown once, and used."""
    for path in installation.certificates.directory.glob("*.key"):
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        number = key.private_numbers().private_value.to_bytes(32)
        planted.canaries.know(f"{path.name}, the number", number)
        planted.canaries.know(f"{path.name}, the file", path.read_text().splitlines()[1])
    others = list(planted.recorder.others)
    for name, role in Role.items():
        if not role:
            continue
        token = Token(name=name.lower().replace("_", "-"), role=role)
        made = installation.config.CreateToken(pb.CreateTokenRequest(token=token))
        planted.canaries.know(f"token of {name}", made.secret.rpartition("_")[2])
        others.append(installation.channels("", made.secret))
    planted.recorder.others = others


def plant(planted: Planted) -> None:
    """Create, refuse, update and test targets of every kind, saved ones and drafts."""
    call = planted.recorder.call
    wanted = [mail_target(planted), *unreachable_targets(planted)]
    for status in STATUSES:
        wanted += http_targets(planted, status)
    rules = []
    for number, target in enumerate(wanted):
        target.name = f"target-{number}"
        draft = Target()
        draft.CopyFrom(target)
        draft.name = ""
        call("TestTarget", pb.ConfigServiceTestTargetRequest(draft=draft))
        made = call("CreateTarget", pb.CreateTargetRequest(target=target))
        assert made is not None, planted.recorder.answers[-1]
        planted.targets.append(made.target)
        call("TestTarget", pb.ConfigServiceTestTargetRequest(name=target.name))
        rules.append(Subscription(target=target.name, rule="*"))
    for target in refused_targets(planted):
        target.name = "refused"
        assert call("CreateTarget", pb.CreateTargetRequest(target=target)) is None
        call("TestTarget", pb.ConfigServiceTestTargetRequest(draft=target))
    update(planted)
    group = pb.CreateGroupRequest()
    group.group.name = "everybody"
    group.group.subscriptions.extend(rules)
    made = call("CreateGroup", group)
    planted.installation.await_config(made.group.revision)


def update(planted: Planted) -> None:
    """New secrets in the place of old ones; and one that is refused."""
    hook = next(each for each in planted.targets if each.webhook.headers)
    changed = Target(name=hook.name, webhook=target_pb2.WebhookTarget())
    changed.webhook.headers.append(header("X-Api-Key", planted.secret("updated header")))
    mask = FieldMask(paths=["webhook.headers"])
    planted.recorder.call("UpdateTarget", pb.UpdateTargetRequest(target=changed, update_mask=mask))
    changed.etag = "r999999"
    changed.webhook.headers[0].value = planted.secret("header of an update that lost a race")
    planted.recorder.call("UpdateTarget", pb.UpdateTargetRequest(target=changed, update_mask=mask))
    changed = Target(name=hook.name, webhook=target_pb2.WebhookTarget(url="http://127.0.0.1:1/"))
    mask = FieldMask(paths=["webhook.url"])
    planted.recorder.call("UpdateTarget", pb.UpdateTargetRequest(target=changed, update_mask=mask))


def emit(planted: Planted) -> list[str]:
    """An event that everybody hears of, told or given up; its id."""
    planted.decoy = decoy()
    event = event_pb2.Event(type="backup.failed", subject=f"Backup failed {planted.decoy}")
    answer = planted.recorder.call("Emit", router_service_pb2.EmitRequest(event=event))
    installation = planted.installation
    attempted = len(planted.targets)

    def tried() -> bool:
        done = [each for each in installation.deliveries() if each.attempt_count]
        return len({each.target for each in done}) == attempted

    until(tried, "every target was tried", 60.0, DRAIN_POLL_SECONDS)
    return [answer.event_id]


def run_commands(planted: Planted, known: dict[str, str]) -> None:
    """Every command that shows something, in every form; and some that are given secrets."""
    simple = list(commands_without_arguments(notification, click.Context(notification)))
    assert ("target", "list") in simple
    for command in (*simple, *(each.split() for each in READING)):
        arguments = [known.get(each, each) for each in command]
        # YAML prints the document that JSON prints: once is enough.
        for form in ("json", "table", *(["yaml"] if arguments[0] == "target" else [])):
            planted.cli(*arguments, "-o", form)
    secret = planted.secret("password on standard input")
    target = ["target", "create", "by-cli", "--type", "smtp", "--server", "127.0.0.1"]
    target += ["--from", "a@example.com", "--username", "ibs", "--password-stdin"]
    planted.cli(*target, "--auth-method", "plain", "-o", "json", stdin=secret)
    planted.cli(*target, "--auth-method", "none", stdin=secret)
    planted.cli("target", "create", "by-cli", "--type", "smtp", stdin=secret)
    for each in planted.targets[::6]:
        planted.cli("target", "test", each.name, "-o", "json")
    planted.cli("keys", "rotate", "-o", "json")


def search_everything(planted: Planted, tmp_path: Path) -> Search:
    """Look at all that anybody may come to see, but the key file and the wire to the right peer."""
    installation, search = planted.installation, Search(planted.canaries)
    backup = tmp_path / "backup"
    done = subprocess.run(
        [sys.executable, "-m", "ibs_notify.launcher", "backup", str(backup)],
        env=installation.environment,
        capture_output=True,
        check=True,
        cwd=installation.home,
    )
    search.look("backup command", done.stdout + done.stderr)
    for name, service in installation.services.items():
        assert service.process is not None
        proc = Path(f"/proc/{service.process.pid}")
        search.look("process", (proc / "cmdline").read_bytes())
        search.look("process", (proc / "environ").read_bytes())
        limits = (proc / "limits").read_text()
        assert "Max core file size        0" in limits, name
    keys = [*installation.home.rglob("*.key")]  # where they belong
    search.look_at_files("home", installation.home, keys)
    installation.stop(*SERVICES)  # so that what is logged on the way out is searched as well
    for name, service in installation.services.items():
        search.look(f"log of {name}", service.log.read_bytes())
    search.look_at_files("home, stopped", installation.home, keys)
    search.look_at_files("backup", backup)
    for method, answer in planted.recorder.answers:
        search.look(f"rpc {method}", answer)
    for command, said in planted.out:
        search.look(f"command {command}", said)
    for body in planted.peers.bodies:
        search.look("bodies at the peers", body)
    return search


CONFIGURATION_FILES = ("config.db", "delivery-snapshot.pb", "router-snapshot.pb")
CONFIGURATION = (
    *(f"rpc {name}" for name in ("CreateTarget", "UpdateTarget", "GetTarget", "ListTargets")),
    *("rpc WatchConfig", "command target list", "command target show", "backup: config"),
    *(f"{home}: {file}" for home in ("home", "home, stopped") for file in CONFIGURATION_FILES),
)
"""Who reads the configuration sees addresses."""
RIGHT_PEERS = {f"{what}, {status}" for what in ("header", "NTFY token") for status in STATUSES}
DECOYS = (
    *("rpc ListEvents", "rpc GetEvent", "rpc Explain", "command event", "command explain"),
    *("home: router", "home: delivery", "backup: router", "backup: delivery"),
    "bodies at the peers",
)


def test_no_secret_is_found_anywhere(planted: Planted, tmp_path: Path) -> None:
    plant(planted)
    events = emit(planted)
    deliveries = [each.delivery_id for each in planted.installation.deliveries()]
    names = [each.name for each in planted.targets]
    example = event_pb2.Event(type="backup.failed", subject="x")
    planted.recorder.values = {
        "name": [*names, "everybody", "nobody"],
        "target": names,
        "target_uid": [each.uid for each in planted.targets],
        "group": ["everybody"],
        "event_id": events,
        "delivery_id": deliveries,
        "event": [example],
        "rule": ["*", "type ="],
        "include_secrets": [True, False],
    }
    calls = planted.recorder.read_everything()
    known = {"TARGET": names[5], "EVENT": events[0], "DELIVERY": deliveries[0]}
    run_commands(planted, known)
    planted.recorder.others = ()
    calls += planted.recorder.read_everything()
    for line in (planted.installation.home / "secret.key").read_text().splitlines()[1:]:
        key_id, material = line.split()
        planted.canaries.know(f"key {key_id}", material)
        planted.canaries.know(f"key {key_id}, the bytes", base64.b64decode(material))
    search = search_everything(planted, tmp_path)
    print(*search.lines(), f"{len(calls)} rpcs, {sum(calls.values())} calls", sep="\n")

    decoys = {hit.surface for hit in search.hits if hit.canary == DECOY}
    missed = [each for each in DECOYS if not any(where.startswith(each) for where in decoys)]
    assert missed == [], f"the search does not see: {missed}"
    sent = b"\n".join(planted.peers.heads)
    told = [each for each, what in planted.canaries.planted.items() if what in RIGHT_PEERS]
    assert [each for each in told if each.encode() not in sent] == [], "the right peers are told"
    hits = [
        hit
        for hit in search.hits
        if hit.canary != DECOY
        and not (hit.canary in planted.places and hit.surface.startswith(CONFIGURATION))
    ]
    print(f"{len(hits)} hits, but for the decoy and for addresses in the configuration")
    assert hits == [], "\n".join(map(str, hits))
