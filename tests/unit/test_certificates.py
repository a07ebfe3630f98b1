"""`ibs-notify certs`: what is made, what is renewed, what is never overwritten, what is said."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.support.certificates import Certificates

from ibs_notify.domain.errors import FailedPrecondition, InvalidArgument
from ibs_notify.launcher import certificates
from ibs_notify.launcher.__main__ import main
from ibs_notify.launcher.authority import HOLDERS, Authority
from ibs_notify.rpc.identity import names_in, read_identity
from ibs_notify.rpc.tls import expiry_warning
from ibs_notify.settings import SERVICES, Settings

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
FILES = {f"{name}.{end}" for name in ("ca", *HOLDERS) for end in ("pem", "key")}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "etc" / "tls"
    certificates.init(place, ["ibs.example.com", "192.0.2.7"], 365, NOW)
    return place


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def run(*arguments: str, home: Path) -> Result:
    environment = {"IBS_NOTIFY_HOME": str(home), "IBS_NOTIFY_TLS_DIRECTORY": ""}
    return CliRunner().invoke(main, ["certs", *arguments], env=environment)


def test_all_files_are_made_and_no_key_is_open_to_others(directory: Path) -> None:
    assert {each.name for each in directory.iterdir()} == FILES
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for key in directory.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_known_by_its_names_and_those_of_its_machine(
    directory: Path, service: str
) -> None:
    certificate = read(directory / f"{service}.pem")
    names = names_in(certificate)
    assert names[:3] == [f"spiffe://ibs-notify/{service}", f"{service}.ibs-notify", service]
    assert {"localhost", "127.0.0.1", "::1", "ibs.example.com", "192.0.2.7"} <= set(names)
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_careful_umask_closes_no_certificate_to_others(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        certificates.init(tmp_path / "tls", [], 365, NOW)
    finally:
        os.umask(before)
    modes = {each.suffix: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("tls/*")}
    assert modes == {".pem": 0o644, ".key": 0o600}


def test_the_administrator_is_a_client_and_no_server(directory: Path) -> None:
    certificate = read(directory / "administrator.pem")
    assert names_in(certificate) == ["spiffe://ibs-notify/administrator"]
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_the_console_serves_browsers_and_is_nobody_among_the_services(directory: Path) -> None:
    certificate = read(directory / "console.pem")
    names = names_in(certificate)
    assert {"localhost", "127.0.0.1", "console"} <= set(names)
    assert not [each for each in names if "://" in each or each.endswith(".ibs-notify")]
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_is_made_can_be_used_for_a_year_and_not_longer(directory: Path, holder: str) -> None:
    read_identity(directory, holder, NOW)
    read_identity(directory, holder, NOW + timedelta(days=364, hours=23))
    with pytest.raises(FailedPrecondition, match="which is not now"):
        read_identity(directory, holder, NOW + timedelta(days=365))


def test_the_ca_is_valid_for_ten_years_and_signs_no_other_ca(directory: Path) -> None:
    ca = read(directory / "ca.pem")
    assert ca.not_valid_after_utc == NOW + timedelta(days=3650)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert constraints.critical


def test_no_certificate_outlives_its_ca() -> None:
    authority = Authority.new(NOW)
    late = NOW + timedelta(days=3600)
    issued = authority.issue("router", (), late, 365)
    end = x509.load_pem_x509_certificate(issued.certificate).not_valid_after_utc
    assert end == authority.certificate.not_valid_after_utc


@pytest.mark.parametrize("host", ["ibs.example.com:443", "a b", "", "https://ibs", "a/b", "x\ny"])
def test_what_is_no_host_is_refused_and_nothing_is_made(tmp_path: Path, host: str) -> None:
    with pytest.raises(InvalidArgument, match="neither a host name nor an address"):
        certificates.init(tmp_path / "tls", [host], 365, NOW)
    assert not list((tmp_path / "tls").glob("*"))


def test_what_is_there_is_never_overwritten(directory: Path, tmp_path: Path) -> None:
    for each in directory.iterdir():
        if each.name != "router.key":
            each.unlink()
    before = (directory / "router.key").read_bytes()
    result = run("init", "--directory", str(directory), home=tmp_path)
    assert result.exit_code == 1
    assert f"{directory} has router.key already" in result.output
    assert [each.read_bytes() for each in directory.iterdir()] == [before]


def test_a_renewal_replaces_all_but_the_ca_and_keeps_the_names(directory: Path) -> None:
    before = {each.name: each.read_bytes() for each in directory.iterdir()}
    names = names_in(read(directory / "router.pem"))
    later = NOW + timedelta(days=300)
    certificates.renew(directory, directory / "ca.key", ["new.example.com"], 90, later)
    after = {each.name: each.read_bytes() for each in directory.iterdir()}
    same = {name for name in FILES if before[name] == after[name]}
    assert (set(after), same) == (FILES, {"ca.pem", "ca.key"})
    assert names_in(read(directory / "router.pem")) == [*names, "new.example.com"]
    assert read_identity(directory, "router", later).expires == later + timedelta(days=90)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_renews_for_those_who_read_the_files_now(directory: Path) -> None:
    for each in directory.iterdir():
        os.chown(each, 12345, 12346)
    certificates.renew(directory, directory / "ca.key", (), 365, NOW)
    assert {(each.stat().st_uid, each.stat().st_gid) for each in directory.iterdir()} == {
        (12345, 12346)
    }


def test_a_machine_with_some_of_the_certificates_renews_those(directory: Path) -> None:
    for each in [*directory.glob("config.*"), *directory.glob("administrator.*")]:
        each.unlink()
    renewed = certificates.renew(directory, directory / "ca.key", (), 365, NOW)
    assert renewed == ["router", "delivery", "console"]
    assert not (directory / "config.pem").exists()


def test_a_ca_key_that_is_kept_elsewhere_is_named_when_it_is_needed(
    directory: Path, tmp_path: Path
) -> None:
    vault = tmp_path / "vault.key"
    (directory / "ca.key").rename(vault)
    refused = run("renew", "--directory", str(directory), home=tmp_path)
    assert refused.exit_code == 1
    assert "--ca-key" in refused.output
    done = run("renew", "--directory", str(directory), "--ca-key", str(vault), home=tmp_path)
    assert done.exit_code == 0
    assert not (directory / "ca.key").exists()


def test_the_key_of_another_ca_renews_nothing(directory: Path, tmp_path: Path) -> None:
    before = {each.name: each.read_bytes() for each in directory.iterdir()}
    other = Certificates.made_in(tmp_path / "other").directory / "ca.key"
    with pytest.raises(FailedPrecondition, match="is not that of its certificate"):
        certificates.renew(directory, other, (), 365, NOW)
    assert before == {each.name: each.read_bytes() for each in directory.iterdir()}


def test_show_says_what_each_is_for_and_what_is_wrong(tmp_path: Path) -> None:
    made = run("init", "--host", "ibs.example.com", home=tmp_path)
    assert made.exit_code == 0
    held = Certificates(tmp_path / "tls")
    shown = run("show", home=tmp_path)
    assert shown.exit_code == 0
    assert "CN=IBS Notifications delivery" in shown.output
    assert "router.ibs-notify, router, localhost" in shown.output
    held.put("router", held.expired("router"))
    held.put("config", Certificates.made_in(tmp_path / "other").of("config"))
    (held.directory / "delivery.key").chmod(0o644)
    faulty = run("show", home=tmp_path)
    assert faulty.exit_code == 1
    faults = [line for line in faulty.output.splitlines() if "fault:" in line]
    assert [("ca.pem" in each, "not now" in each, "0644" in each) for each in faults] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert "PRIVATE" not in faulty.output


def test_a_home_that_is_made_in_passing_is_not_open_to_others(tmp_path: Path) -> None:
    assert run("init", home=tmp_path / "home").exit_code == 0
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_nothing_to_show_says_how_to_make_some(tmp_path: Path) -> None:
    result = run("show", home=tmp_path)
    assert result.exit_code == 1
    assert "ibs-notify certs init" in result.output


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=30, seconds=1), ""),
        (timedelta(days=30), "ends at"),
        (timedelta(seconds=1), "ends at"),
        (timedelta(), "ended at"),
    ],
)
def test_a_certificate_that_ends_within_30_days_is_told_of(left: timedelta, said: str) -> None:
    warning = expiry_warning("router", NOW + left, NOW)
    assert bool(warning) == bool(said)
    assert said in warning


def test_the_health_of_an_installation_whose_ca_is_missing_is_a_sentence(tmp_path: Path) -> None:
    environment = {"IBS_NOTIFY_HOME": str(tmp_path), "IBS_NOTIFY_TLS_DIRECTORY": str(tmp_path)}
    result = CliRunner().invoke(main, ["health"], env=environment)
    assert result.exit_code == 1
    assert result.output.startswith(f"error: the CA certificate {tmp_path}/ca.pem cannot be read")


def test_the_health_tells_of_those_that_it_can_read(directory: Path) -> None:
    settings = Settings(tls_directory=str(directory))
    (directory / "config.pem").unlink()
    assert certificates.expiry_warnings(settings, NOW) == []
    soon = certificates.expiry_warnings(settings, NOW + timedelta(days=340))
    assert ["of router" in each or "of delivery" in each for each in soon] == [True, True]


def test_the_health_tells_of_the_certificate_that_browsers_see(directory: Path) -> None:
    settings = Settings(
        tls_directory=str(directory),
        console_certificate=str(directory / "console.pem"),
        console_key=str(directory / "console.key"),
    )
    soon = certificates.expiry_warnings(settings, NOW + timedelta(days=340))
    assert "of console" in soon[-1]
