"""Settings: variables over the file over defaults, nothing unknown, and documented one by one."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ibs_notify.domain.errors import InvalidArgument
from ibs_notify.settings import Settings, load

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def written(directory: Path, text: str) -> dict[str, str]:
    (directory / "settings.toml").write_text(text)
    return {"IBS_NOTIFY_HOME": str(directory)}


def test_without_anything_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load({}) == Settings()


def test_a_file_in_the_home_is_read(tmp_path: Path) -> None:
    settings = load(written(tmp_path, 'log_level = "debug"'))
    assert (settings.home, settings.log_level) == (tmp_path, "debug")


def test_a_file_named_by_its_variable_wins_over_the_one_in_the_home(tmp_path: Path) -> None:
    environment = written(tmp_path, 'log_level = "debug"')
    other = tmp_path / "other.toml"
    other.write_text('log_level = "error"')
    assert load({**environment, "IBS_NOTIFY_SETTINGS": str(other)}).log_level == "error"


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    environment = written(tmp_path, 'log_level = "debug"\nuser = "file"')
    settings = load({**environment, "IBS_NOTIFY_LOG_LEVEL": "warning"})
    assert (settings.log_level, settings.user) == ("warning", "file")


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    environment = {**written(tmp_path, ""), "IBS_NOTIFY_ROUTER_ADDRESS": ""}
    assert load(environment).router_address == Settings().router_address


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('log_levle = "debug"', "unknown setting: log_levle"),
        ('log_level = "loud"', "log_level"),
        ('profile = "test"', "profile"),
        ('router_address = "50052"', "router_address '50052' is not host:port"),
        ('router_address = "127.0.0.1:70000"', "router_address"),
        ("router_address = ", "settings.toml"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(named)):
        load(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('profile = "production"', "the profile production needs tls_directory"),
        ('router_address = "0.0.0.0:50052"', "router_address '0.0.0.0:50052' is not on loopback"),
        ('config_address = "config:50051"', "config_address 'config:50051' is not on loopback"),
        ('delivery_peer_address = "[::]:1"', "delivery_peer_address '[::]:1' is not on loopback"),
    ],
)
def test_without_certificates_there_is_only_development_on_loopback(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(named)) as refused:
        load(written(tmp_path, text))
    assert "ibs-notify certs init" in refused.value.advice
    assert load(written(tmp_path, f'tls_directory = "tls"\n{text}')).secured


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_needs_no_certificates(tmp_path: Path, host: str) -> None:
    assert not load(written(tmp_path, f'router_address = "{host}:50052"')).secured


def test_a_token_is_tolerated_and_kept_nowhere(tmp_path: Path) -> None:
    environment = {**written(tmp_path, ""), "IBS_NOTIFY_TOKEN": "ibsn_1_canary"}
    assert "canary" not in repr(load(environment))


def test_a_token_in_the_file_is_refused_without_being_repeated(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="unknown setting: token ") as refused:
        load(written(tmp_path, 'token = "ibsn_1_canary"'))
    assert "canary" not in str(refused.value)


def test_a_home_that_is_no_directory_has_no_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.touch()
    assert load({"IBS_NOTIFY_HOME": str(file)}).home == file


def test_an_unknown_variable_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"unknown setting: port .*config_address"):
        load({**written(tmp_path, ""), "IBS_NOTIFY_PORT": "1"})


def test_a_missing_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="there is no settings file"):
        load({"IBS_NOTIFY_SETTINGS": str(tmp_path / "none.toml")})


def test_a_change_is_by_the_user_of_the_settings_else_by_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    assert Settings(user="alice").caller == "alice"
    assert Settings().caller == "bob"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_an_account_is_named_by_number(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr("os.getuid", lambda: 10001)
    assert Settings().caller == "uid-10001"


def test_each_service_has_a_database_of_its_own_in_the_home() -> None:
    settings = Settings(home=Path("/data"), router_database="postgresql+asyncpg://u@db/n")
    assert settings.database_url("config") == "sqlite:////data/config.db"
    assert settings.database_url("router") == "postgresql+asyncpg://u@db/n"


def test_the_list_of_where_targets_may_reach_is_checked_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="egress_allow: 'everywhere' is neither a network"):
        load(written(tmp_path, 'egress_allow = "everywhere"'))


def test_every_listener_and_every_database_server_is_an_own_endpoint() -> None:
    settings = Settings(
        config_address="[::1]:50051",
        router_database="postgresql+asyncpg://u:p@db.example:5433/n",
        delivery_database="postgresql+asyncpg://u@/n?host=/run/postgresql",
        config_database="postgresql+asyncpg:///n?host=a.example:5434&host=b.example",
    )
    own = {(each.host, each.port) for each in settings.egress.own}
    assert own >= {("::1", 50051), ("127.0.0.1", 50052), ("127.0.0.1", 50053)}
    assert own >= {("db.example", 5433), ("a.example", 5434), ("b.example", 5432)}
    assert not [host for host, _ in own if host.startswith("/")]


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("postgresql+asyncpg://u@/n?host=a.example&port=6432", [("a.example", 6432)]),
        ("postgresql+asyncpg://u@a.example/n?port=6432", [("a.example", 6432)]),
        ("postgresql://u@/n?host=a,b&port=6432,6433", [("a", 6432), ("b", 6433)]),
        ("postgresql://u@/n?host=a,b", [("a", 5432), ("b", 5432)]),
        ("postgresql://u@[fd00::5]:6432/n", [("fd00::5", 6432)]),
        ("postgresql://u:p#x@db.example:6432/n", [("db.example", 6432)]),
        ("postgresql://u:p/x?y@db.example/n", [("db.example", 5432)]),
        ("postgresql:///n", [("localhost", 5432)]),
    ],
)
def test_a_database_is_where_the_driver_finds_it(url: str, own: list[tuple[str, int]]) -> None:
    usual = len(Settings().egress.own)
    servers = Settings(router_database=url).egress.own[usual:]
    assert [(each.host, each.port) for each in servers] == own


@pytest.mark.parametrize("url", ["postgresql://u@[db/n", "postgresql://u@db:port/n"])
def test_a_database_url_that_cannot_be_read_is_for_the_database_to_judge(url: str) -> None:
    assert len(Settings(router_database=url).egress.own) == len(Settings().egress.own)


def test_the_page_of_settings_lists_every_one_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`|empty) \|", DOCUMENT.read_text(), re.MULTILINE)
    usual = Settings()
    assert rows == [(field.name, str(getattr(usual, field.name))) for field in fields(Settings)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('console_certificate = "a.pem"', "console_certificate and console_key belong together"),
        ('console_key = "a.key"', "console_certificate and console_key belong together"),
        ('console_origin = "notify.example.com"', "is not of the form https://notify.example.com"),
        ('console_origin = "https://a.example.com/x"', "is not of the form"),
        ('console_origin = "https://u@a.example.com"', "is not of the form"),
        ('console_origin = "ftp://a.example.com"', "is not of the form"),
        ('console_origin = "http://a.example.com"', "has to be https: it is no loopback"),
        ('console_address = "0.0.0.0:8080"', "console_address '0.0.0.0:8080' is not on loopback"),
        (
            'tls_directory = "tls"\nconsole_address = "0.0.0.0:8080"',
            "without console_certificate tokens would go there in clear text",
        ),
    ],
)
def test_browsers_send_no_token_in_clear_text_over_a_network(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(named)):
        load(written(tmp_path, text))


def test_the_console_is_found_where_it_listens_and_where_a_proxy_says(tmp_path: Path) -> None:
    settings = load(
        written(
            tmp_path,
            'tls_directory = "tls"\nconsole_address = "0.0.0.0:8443"\n'
            'console_certificate = "a.pem"\nconsole_key = "a.key"\n'
            'console_origin = "https://notify.example.com/, http://localhost:1234"',
        )
    )
    assert settings.console_url == "https://localhost:8443/"
    assert settings.console_origins == ("https://notify.example.com", "http://localhost:1234")
