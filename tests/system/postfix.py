"""Debian's Postfix as a mail server of a test's own: its own directories, port, users and CA.

Submission as it is done in the field: STARTTLS, then AUTH from a SASL database, then delivery to a
Maildir where the test reads what was kept. Needs root and the package ``postfix``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.system.installation import free_port, until

REALM = "example.test"
USER = f"ibs-svc@{REALM}"
PASSWORD = "correct horse battery staple"

_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/log/mail.log
maillog_file_prefixes = {root}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.{realm}
mydestination =
alias_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_security_level = may
smtpd_tls_cert_file = {root}/etc/server.pem
smtpd_tls_key_file = {root}/etc/server.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = {realm}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_forbid_bare_newline = yes
smtpd_peername_lookup = no
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{plain_port} inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o smtpd_tls_auth_only=no
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
sasldb_path: {root}/etc/sasldb2
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A server that runs. ``plain_port`` offers AUTH but no STARTTLS; ``ca_pem`` is its CA."""

    root: Path
    port: int
    plain_port: int
    ca_pem: str

    def mails(self) -> list[bytes]:
        """Every mail that was delivered, as it is kept: with LF line ends."""
        return [path.read_bytes() for path in sorted((self.root / "mail/inbox/new").glob("*"))]

    def log(self) -> str:
        """What the server wrote."""
        return (self.root / "log/mail.log").read_text(errors="replace")


@contextmanager
def running_postfix(program: str) -> Iterator[Postfix]:
    """A server until the block ends; ``program`` is the path of ``postfix``."""
    # Its workers have no rights of root's, so everything above must let them pass.
    root = Path(tempfile.mkdtemp(prefix="postfix-"))
    root.chmod(0o755)
    command = [program, "-c", str(root / "etc")]
    try:
        server = _configure(root)
        subprocess.run([*command, "start"], check=True, capture_output=True)
        try:
            for port in (server.port, server.plain_port):
                until(lambda port=port: _greets(port), "postfix greets")  # type: ignore[misc]
            yield server
        finally:
            subprocess.run([*command, "stop"], check=True, capture_output=True)
    finally:
        shutil.rmtree(root)


def _configure(root: Path) -> Postfix:
    owner = pwd.getpwnam("postfix")
    for name in ("etc/sasl", "queue", "data", "mail", "log"):
        (root / name).mkdir(parents=True)
    for name in ("data", "mail"):
        os.chown(root / name, owner.pw_uid, owner.pw_gid)
    ca = trustme.CA()
    certificate = ca.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(root / "etc/server.pem")
    server = Postfix(root, free_port(), free_port(), ca.cert_pem.bytes().decode())
    values = {"root": root, "realm": REALM, "uid": owner.pw_uid, "gid": owner.pw_gid}
    (root / "etc/main.cf").write_text(_MAIN.format(**values))
    (root / "etc/master.cf").write_text(
        _MASTER.format(port=server.port, plain_port=server.plain_port)
    )
    (root / "etc/sasl/smtpd.conf").write_text(_SASL.format(root=root))
    users = root / "etc/sasldb2"
    subprocess.run(
        ["saslpasswd2", "-p", "-c", "-f", str(users), "-u", REALM, USER.partition("@")[0]],
        input=PASSWORD.encode(),
        check=True,
        capture_output=True,
    )
    os.chown(users, owner.pw_uid, owner.pw_gid)
    return server


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire to a port, with a tap: ``sent`` is everything that clients sent, byte for byte."""

    port: int
    sent: bytearray = field(default_factory=bytearray)

    @property
    def clear_text(self) -> bytes:
        """What was sent before TLS began: up to the first handshake record (RFC 8446 5.1)."""
        return bytes(self.sent).partition(b"\x16\x03")[0]


@contextmanager
def tapped(port: int) -> Iterator[Wire]:
    """Listen on a port of its own and pass everything on to ``port`` until the block ends."""
    with ExitStack() as ends, socket.create_server(("127.0.0.1", 0)) as listener:
        wire = Wire(listener.getsockname()[1])
        pumps: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(listener, port, wire, ends, pumps))
        accepting.start()
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            ends.close()
            for pump in pumps:
                pump.join()


def _accept(
    listener: socket.socket, port: int, wire: Wire, ends: ExitStack, pumps: list[threading.Thread]
) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        for end in (client, server):
            ends.enter_context(end)
            ends.callback(_hang_up, end)
        pumps += [
            threading.Thread(target=_pump, args=(client, server, wire.sent)),
            threading.Thread(target=_pump, args=(server, client, bytearray())),
        ]
        for pump in pumps[-2:]:
            pump.start()


def _pump(source: socket.socket, sink: socket.socket, record: bytearray) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            record += piece
            sink.sendall(piece)
    for end in (source, sink):
        _hang_up(end)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
