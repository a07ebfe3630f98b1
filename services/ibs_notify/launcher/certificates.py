"""The files of ``tls_directory``: made once, renewed, and shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ibs_notify.domain.errors import AlreadyExists, FailedPrecondition, NotificationError, Reason
from ibs_notify.launcher.authority import HOLDERS, Authority, Issued
from ibs_notify.rpc.identity import names_in, read_identity
from ibs_notify.rpc.peer import CA_FILE, CONSOLE
from ibs_notify.rpc.tls import expiry_warning
from ibs_notify.settings import SERVICES, Settings

CA_KEY_FILE = "ca.key"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a certificate says. ``fault`` is why its holder could not use it; empty where it can."""

    file: str
    subject: str
    names: tuple[str, ...]
    expires: datetime
    fault: str


def init(directory: Path, hosts: Sequence[str], days: int, now: datetime) -> None:
    """Make a CA and all certificates; ``AlreadyExists`` where one of the files is there."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = [CA_FILE, CA_KEY_FILE, *(f"{each}.{end}" for each in HOLDERS for end in ("pem", "key"))]
    if there := [name for name in names if (directory / name).exists()]:
        raise AlreadyExists(
            Reason.FIELD_INVALID,
            f"{directory} has {', '.join(there)} already",
            advice="certs renew replaces certificates; for a new CA remove the old files first",
        )
    authority = Authority.new(now)
    issued = {each: authority.issue(each, hosts, now, days) for each in HOLDERS}
    for holder, each in {"ca": authority.pem, **issued}.items():
        _replace(directory, holder, each)


def renew(
    directory: Path, ca_key: Path, hosts: Sequence[str], days: int, now: datetime
) -> Sequence[str]:
    """New keys and certificates for all holders that have one here; returns who they are.

    Names that the old certificate has and a new one would not have stay in it.
    """
    renewed = [each for each in HOLDERS if (directory / f"{each}.pem").exists()]
    if not renewed:
        raise _none_in(directory)
    authority = _authority(directory, ca_key)
    for holder in renewed:
        kept = _hosts(directory / f"{holder}.pem")
        _replace(directory, holder, authority.issue(holder, [*kept, *hosts], now, days))
    return renewed


def show(directory: Path, now: datetime) -> Sequence[Shown]:
    """Each certificate of ``directory``, the CA first."""
    there = [each for each in ("ca", *HOLDERS) if (directory / f"{each}.pem").exists()]
    if not there:
        raise _none_in(directory)
    return [_shown(directory, each, now) for each in there]


def require_usable(settings: Settings, now: datetime) -> None:
    """Raise where a service could not start with its certificate; the error says why."""
    for service in SERVICES:
        read_identity(Path(settings.tls_directory), service, now)


def expiry_warnings(settings: Settings, now: datetime) -> list[str]:
    """What to say of certificates that end soon, of those that can be read here."""
    directory = Path(settings.tls_directory)
    files: dict[str, Path] = {each: directory / f"{each}.pem" for each in SERVICES}
    if settings.console_certificate:
        files |= {CONSOLE: Path(settings.console_certificate)}
    warnings = []
    for holder, file in files.items():
        with suppress(NotificationError):
            warnings.append(expiry_warning(holder, _read(file).not_valid_after_utc, now))
    return [each for each in warnings if each]


def _shown(directory: Path, holder: str, now: datetime) -> Shown:
    path = directory / f"{holder}.pem"
    certificate = _read(path)
    return Shown(
        path.name,
        certificate.subject.rfc4514_string(),
        tuple(names_in(certificate)),
        certificate.not_valid_after_utc,
        "" if holder == "ca" else _fault(directory, holder, now),
    )


def _none_in(directory: Path) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.STORAGE_UNAVAILABLE,
        f"{directory} has no certificates",
        advice="ibs-notify certs init makes them",
    )


def _fault(directory: Path, holder: str, now: datetime) -> str:
    try:
        read_identity(directory, holder, now)
        certificate, ca = _read(directory / f"{holder}.pem"), _read(directory / CA_FILE)
        if certificate.issuer == ca.subject:
            certificate.verify_directly_issued_by(ca)
    except NotificationError as error:
        return str(error)
    except InvalidSignature:
        return f"it was issued by another CA than that of {CA_FILE}"
    return ""


def _authority(directory: Path, ca_key: Path) -> Authority:
    try:
        pem = Issued((directory / CA_FILE).read_bytes(), ca_key.read_bytes())
        return Authority.read(pem)
    except OSError as error:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE,
            f"{error.filename} cannot be read: {error.strerror}",
            advice="the CA's key is needed; where it is kept elsewhere, name it with --ca-key",
        ) from error
    except ValueError as error:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE, f"{ca_key} and {directory / CA_FILE} are no CA: {error}"
        ) from error


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FailedPrecondition(
            Reason.STORAGE_UNAVAILABLE, f"{path} holds no certificate that can be read: {error}"
        ) from error


def _hosts(path: Path) -> list[str]:
    """The names of hosts and their addresses."""
    return [each for each in names_in(_read(path)) if "://" not in each]


def _replace(directory: Path, name: str, issued: Issued) -> None:
    """Both files at once, as far as can be: a reader in between finds a pair that does not fit,

    and keeps the one it has.
    """
    contents = {f"{name}.key": (issued.key, 0o600), f"{name}.pem": (issued.certificate, 0o644)}
    for file, (content, mode) in contents.items():
        _write(directory / f"{file}.new", content, mode, _owner(directory / file))
    for file in contents:
        (directory / f"{file}.new").replace(directory / file)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes, mode: int, owner: tuple[int, int]) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        # Whatever the umask: everybody who calls a service reads ca.pem.
        os.fchmod(descriptor, mode)
        if os.geteuid() == 0:
            os.fchown(descriptor, *owner)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _owner(path: Path) -> tuple[int, int]:
    """Who has to read it: who does so now, else the owner of the directory."""
    status = (path if path.exists() else path.parent).stat()
    return status.st_uid, status.st_gid
