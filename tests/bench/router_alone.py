"""A Router with a configuration on disk and nobody to hand off to: the cost of Emit alone."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import uvloop

from ibs_notify.domain.token import hash_of, spell
from ibs_notify.launcher.readiness import until_serving
from ibs_notify.router.app import RouterApp
from ibs_notify.rpc.lifecycle import spare_the_collector
from ibs_notify.settings import Settings
from ironcore.notification.v1 import config_service_pb2, group_pb2, token_pb2

TOKEN_ID, TOKEN_SECRET = "0123456789abcdef", "5a" * 32
TOKEN = spell(TOKEN_ID, TOKEN_SECRET)
"""Of an emitter; a Router that is secured lets it in."""


def snapshot(rules: int) -> config_service_pb2.ConfigSnapshot:
    """``rules`` subscriptions; two match a failed backup, of two groups on two targets.

    What the load emits again and again is told to ``chat``, whose group tells every event, and
    suppressed for ``pager``: each event makes one open obligation and one that is closed at once.
    """
    kept = config_service_pb2.ConfigSnapshot(revision=1)
    for name in ("chat", "pager"):
        target = kept.targets.add().target
        target.name, target.uid = name, f"uid-{name}"
        target.webhook.url = "http://127.0.0.1:1/"
        group = kept.groups.add(name=f"ops-{name}", uid=f"ops-{name}", rate_limit_per_minute=0)
        group.subscriptions.add(uid=f"sub-{name}", target=name, rule="severity >= error")
    kept.groups[0].dedup_window.FromTimedelta(timedelta(0))
    kept.groups[1].dedup_window.FromTimedelta(timedelta(days=7))
    emitter = token_pb2.Token(id=TOKEN_ID, name="bench", role=token_pb2.ROLE_EMITTER)
    kept.tokens.add(token=emitter, secret_hash=hash_of(TOKEN_SECRET))
    for number in range(rules - 2):
        kept.groups.append(
            group_pb2.Group(
                name=f"g{number}",
                uid=f"g{number}",
                subscriptions=[
                    group_pb2.Subscription(
                        uid=f"s{number}",
                        target="chat",
                        rule=f"type = backup.failed and resource starts-with /datastore/d{number}/",
                    )
                ],
            )
        )
    return kept


async def main(home: Path, rules: int, database: str = "", certificates: str = "") -> None:
    """With ``certificates``, a directory of them, by TLS, and for who has ``TOKEN``."""
    (home / "router-snapshot.pb").write_bytes(snapshot(rules).SerializeToString())
    nowhere = "127.0.0.1:1"
    settings = Settings(
        home=home,
        router_address="127.0.0.1:0",
        config_address=nowhere,
        delivery_address=nowhere,
        router_database=database,
        router_peer_address="127.0.0.1:0",
        tls_directory=certificates,
    )
    async with RouterApp(settings) as app:
        await until_serving(replace(settings, router_address=f"127.0.0.1:{app.port}"), "router")
        spare_the_collector()
        print(app.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
