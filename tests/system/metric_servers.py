"""Real metric servers, each in a directory and on ports of its own.

InfluxDB 1.6 has the line protocol's own parser and gives back exactly what it keeps, but no v2 API:
nginx in front of it maps the one to the other, as a v2 server answers. VictoriaMetrics has the v2
write API; vmauth in front of it asks for the token.
"""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import trustme

from tests.system.installation import STOP_SECONDS, free_port, until

TOKEN = "s3cret-token"
ORG = "polystack"
BUCKET = "ibs-events"
PASSWORD = "correct horse"
# Of that password, with bcrypt.
_PASSWORD_HASH = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
_INFLUXDB = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{root}/meta"
[data]
  dir = "{root}/data"
  wal-dir = "{root}/wal"
  index-version = "inmem"
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""
# Its own variables are written with a dollar too, so that ours are in angle brackets.
_NGINX = """\
daemon off;
user root;
worker_processes 1;
pid <root>/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  default_type application/json;
  client_max_body_size 64m;
  client_body_temp_path <root>/body;
  proxy_temp_path <root>/proxy;
  fastcgi_temp_path <root>/fastcgi;
  uwsgi_temp_path <root>/uwsgi;
  scgi_temp_path <root>/scgi;
  map $arg_precision $unit { default n; us u; ms ms; s s; }
  server {
    listen 127.0.0.1:<shim_port>;
    location = /ready { return 204; }
    location / { return 404 '{"code":"not found","message":"path not found"}'; }
    location = /api/v2/write {
      if ($http_authorization != "Token <token>") {
        return 401 '{"code":"unauthorized","message":"unauthorized access"}';
      }
      if ($arg_org != "<org>") {
        return 404
          '{"code":"not found","message":"organization name \\\\"$arg_org\\\\" not found"}';
      }
      if ($arg_bucket != "<bucket>") {
        return 404 '{"code":"not found","message":"bucket \\\\"$arg_bucket\\\\" not found"}';
      }
      rewrite ^ /write?db=$arg_bucket&precision=$unit? break;
      proxy_pass http://127.0.0.1:<port>;
    }
  }
}
"""
# Whether the server can be trusted is for others to check.
_OPENER = build_opener(ProxyHandler({}), HTTPSHandler(context=ssl._create_unverified_context()))


def get(url: str, **query: str) -> bytes:
    """The body of what is at ``url``."""
    return ask(Request(f"{url}?{urlencode(query)}" if query else url))


def ask(request: Request) -> bytes:
    """The body of an answer; an error of urllib where it is none of 2xx."""
    with _OPENER.open(request, timeout=20) as answer:
        data: bytes = answer.read()
    return data


@dataclass(slots=True)
class Program:
    """A server that runs until it is stopped; ``ready`` is a URL that answers once it serves."""

    command: Sequence[str]
    ready: str
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, and wait until it serves."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        until(self._serves, f"{self.command[0]} serves at {self.ready}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(STOP_SECONDS)

    def _serves(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.command[0]} ended:\n{self.log.read_text()[-2000:]}")
        try:
            get(self.ready)
        except HTTPError:
            return True  # it asks for a password
        except (OSError, HTTPException):
            return False
        return True


@contextmanager
def _running(*programs: Program) -> Iterator[None]:
    try:
        for program in programs:
            program.start()
        yield
    finally:
        for program in reversed(programs):
            program.stop()


@dataclass(frozen=True, slots=True)
class InfluxDb:
    """``url`` takes v2 writes; ``server`` may be killed and started again."""

    url: str
    server: Program
    own_url: str

    def write(self, line: str) -> None:
        """As another program would."""
        ask(Request(f"{self.own_url}/write?db={BUCKET}", line.encode()))

    def points(self, measurement: str = "ibs_event") -> list[Mapping[str, Any]]:
        """Everything that it keeps: tags, fields and ``time`` in nanoseconds."""
        statement = f'select * from "{measurement}"'
        answer = json.loads(get(f"{self.own_url}/query", db=BUCKET, epoch="ns", q=statement))
        series = answer["results"][0].get("series", [])
        return [
            {name: value for name, value in zip(each["columns"], row, strict=True) if value != ""}
            for each in series
            for row in each["values"]
        ]


@contextmanager
def running_influxdb(root: Path, influxd: str, nginx: str) -> Iterator[InfluxDb]:
    """A server with the bucket, and the v2 API before it."""
    port, rpc_port, shim_port = free_port(), free_port(), free_port()
    (root / "influxdb.conf").write_text(
        _INFLUXDB.format(root=root, port=port, rpc_port=rpc_port), encoding="utf-8"
    )
    (root / "nginx.conf").write_text(
        _nginx_conf(root=root, port=port, shim_port=shim_port), encoding="utf-8"
    )
    server = Program(
        (influxd, "-config", str(root / "influxdb.conf")),
        f"http://127.0.0.1:{port}/ping",
        root / "influxdb.log",
    )
    shim = Program(
        (nginx, "-p", str(root), "-c", str(root / "nginx.conf")),
        f"http://127.0.0.1:{shim_port}/ready",
        root / "nginx.log",
    )
    with _running(server, shim):
        own_url = f"http://127.0.0.1:{port}"
        make = urlencode({"q": f'CREATE DATABASE "{BUCKET}"'}).encode()
        ask(Request(f"{own_url}/query", make))
        yield InfluxDb(f"http://127.0.0.1:{shim_port}", server, own_url)


def _nginx_conf(**values: object) -> str:
    text = _NGINX
    for name, value in {"token": TOKEN, "org": ORG, "bucket": BUCKET, **values}.items():
        text = text.replace(f"<{name}>", str(value))
    return text


@dataclass(frozen=True, slots=True)
class VictoriaMetrics:
    """``url`` takes v2 writes with the token."""

    url: str
    server: Program
    own_url: str

    def count(self, name: str) -> float:
        """The sum of everything that it keeps under ``name``."""
        get(f"{self.own_url}/internal/force_flush")
        query = {"match[]": f'{{__name__="{name}"}}'}
        lines = get(f"{self.own_url}/api/v1/export", **query).splitlines()
        return sum(sum(json.loads(line)["values"]) for line in lines)


@contextmanager
def running_victoria_metrics(
    root: Path, victoria_metrics: str, vmauth: str
) -> Iterator[VictoriaMetrics]:
    """A server, and the one that asks for the token before it."""
    port, auth_port = free_port(), free_port()
    own_url = f"http://127.0.0.1:{port}"
    users = [{"bearer_token": TOKEN, "url_prefix": f"{own_url}/"}]
    (root / "auth.yml").write_text(json.dumps({"users": users}), encoding="utf-8")
    server = Program(
        (
            victoria_metrics,
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-storageDataPath={root / 'data'}",
            "-retentionPeriod=100y",
        ),
        f"{own_url}/health",
        root / "victoria-metrics.log",
    )
    auth = Program(
        (vmauth, f"-httpListenAddr=127.0.0.1:{auth_port}", f"-auth.config={root / 'auth.yml'}"),
        f"http://127.0.0.1:{auth_port}/health",
        root / "vmauth.log",
    )
    with _running(server, auth):
        yield VictoriaMetrics(f"http://127.0.0.1:{auth_port}", server, own_url)


@dataclass(frozen=True, slots=True)
class Pushgateway:
    """``server`` forgets everything when it ends."""

    url: str
    server: Program

    def groups(self) -> list[Mapping[str, Any]]:
        """What it keeps, by group: ``labels``, and a key for each metric."""
        groups: list[Mapping[str, Any]] = json.loads(get(f"{self.url}/api/v1/metrics"))["data"]
        return groups

    def totals(self) -> dict[tuple[str, str, str], float]:
        """The totals by type, severity and datastore."""
        found = {}
        for group in self.groups():
            for metric in group.get("ibs_events_total", {}).get("metrics", []):
                labels = metric["labels"]
                key = (labels["type"], labels["severity"], labels.get("datastore", ""))
                found[key] = float(metric["value"])
        return found


@contextmanager
def running_pushgateway(
    root: Path, program: str, ca: trustme.CA | None = None
) -> Iterator[Pushgateway]:
    """A gateway without persistence; with a ``ca``, behind TLS, and it asks for ``PASSWORD``."""
    port = free_port()
    command = [program, f"--web.listen-address=127.0.0.1:{port}", "--persistence.file="]
    if ca is None:
        url = f"http://127.0.0.1:{port}"
        server = Program(command, f"{url}/-/ready", root / "pushgateway.log")
    else:
        certificate = ca.issue_cert("127.0.0.1")
        certificate.private_key_and_cert_chain_pem.write_to_path(root / "server.pem")
        tls = {"cert_file": str(root / "server.pem"), "key_file": str(root / "server.pem")}
        web = {"tls_server_config": tls, "basic_auth_users": {"ibs": _PASSWORD_HASH}}
        (root / "web.yml").write_text(json.dumps(web), encoding="utf-8")
        command.append(f"--web.config.file={root / 'web.yml'}")
        url = f"https://127.0.0.1:{port}"
        server = Program(command, f"{url}/-/ready", root / "pushgateway.log")
    with _running(server):
        yield Pushgateway(url, server)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that scrapes a gateway each second."""

    url: str

    def query(self, expression: str) -> float | None:
        """The value of an expression that has one."""
        answer = json.loads(get(f"{self.url}/api/v1/query", query=expression))
        result = answer["data"]["result"]
        return float(result[0]["value"][1]) if result else None


@contextmanager
def running_prometheus(root: Path, program: str, gateway: Pushgateway) -> Iterator[Prometheus]:
    """As docs/operating.md has it: the labels of what is pushed are honoured."""
    port = free_port()
    scraped = {"targets": [gateway.url.removeprefix("http://")]}
    job = {"job_name": "pushgateway", "honor_labels": True, "static_configs": [scraped]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    (root / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    server = Program(
        (
            program,
            f"--config.file={root / 'prometheus.yml'}",
            f"--storage.tsdb.path={root / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ),
        f"http://127.0.0.1:{port}/-/ready",
        root / "prometheus.log",
    )
    with _running(server):
        yield Prometheus(f"http://127.0.0.1:{port}")
