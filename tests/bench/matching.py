"""Targets 6, 7 and 8: what it costs to find who hears of an event, by the number of rules."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cel
import uvloop

from ibs_notify.domain.clock import SystemClock
from ibs_notify.domain.event import Event
from ibs_notify.router.in_force import InForce
from ibs_notify.router.revisions import Revisions
from ibs_notify.router.scope import who_hears
from ibs_notify.rules.ast import Rule
from ibs_notify.rules.evaluate import compile_rule
from ibs_notify.rules.index import RuleIndex
from ibs_notify.snapshot.model import Snapshot
from ibs_notify.snapshot.state import WatchedState
from ibs_notify.store.engine import open_database
from ibs_notify.store.migrate import upgrade
from ironcore.notification.v1 import config_service_pb2 as pb
from tests.bench import peer_rules, workload
from tests.bench.lines import Line, Note, middle

SIZES = (10, 1_000, 10_000, 100_000)
PEER_SIZE, GLOB_SIZE, MANY = 1_000, 10_000, 100_000
WARM, NEW = 500, 2_000


def matching(rounds: int) -> list[Line | Note]:
    """Index, plain loop and peers, in one process and at one load."""
    rules = {size: workload.parsed(workload.rule_texts(size)) for size in SIZES}
    lines: list[Line | Note] = []
    warm: dict[int, list[float]] = {size: [] for size in SIZES}
    new: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size in SIZES:
            index = RuleIndex.build(rules[size])
            events = workload.events(WARM + NEW, rules=size)
            new[size].append(_micros(index.matching, events[WARM:]))
            _micros(index.matching, events[:WARM])
            warm[size].append(min(_micros(index.matching, events[:WARM]) for _ in range(5)))
    for size in SIZES:
        loop = _plain_loop(rules[size])
        figures = f"index {middle(warm[size]):5.2f} µs an event, {middle(new[size]):5.2f} if new"
        lines.append(Note(f"match, {size:,} rules", f"{figures}; each rule {loop:,.0f}"))
    lines.append(
        Line(
            "6",
            f"match at {MANY:,} rules, warm",
            f"{middle(warm[MANY]):.2f} µs",
            f"at {PEER_SIZE:,}: {middle(warm[PEER_SIZE]):.2f} µs",
            middle([a / b for a, b in zip(warm[MANY], warm[PEER_SIZE], strict=True)]),
            3.0,
            at_most=True,
        )
    )
    lines += _against_peers(rules[PEER_SIZE], middle(warm[PEER_SIZE]))
    lines.append(_with_globs(rules[GLOB_SIZE], rounds))
    lines.append(_weight(rules[MANY]))
    lines.append(uvloop.run(_swap_beside_events()))
    return lines


def _micros(work: Callable[[Event], object], events: Sequence[Event]) -> float:
    """CPU an event."""
    began = time.process_time()
    for event in events:
        work(event)
    return (time.process_time() - began) / len(events) * 1e6


def _plain_loop(rules: Sequence[Rule]) -> float:
    predicates = [compile_rule(rule) for rule in rules]
    events = workload.events(max(5, 100_000 // len(rules) // 10), rules=len(rules))
    return _micros(lambda event: [each for each in predicates if each(event)], events)


def _against_peers(rules: Sequence[Rule], ours: float) -> list[Line | Note]:
    events = workload.events(20, rules=len(rules))
    expected = [len(RuleIndex.build(rules).matching(event)) for event in events]
    lines: list[Line | Note] = []
    for name, evaluate, bar in (
        ("Rust CEL", _cel(rules), 100.0),
        ("rule-engine", _rule_engine(rules), 1_000.0),
    ):
        if evaluate is None:
            advice = "not measured: it needs an older python-dateutil than is deployed; pip install"
            lines.append(Note(f"match against {name}", f"{advice} {name} by hand"))
            continue
        assert [evaluate(event) for event in events] == expected, f"{name} finds other rules"
        theirs = _micros(evaluate, events)
        what = f"match at {len(rules):,} rules, against {name}"
        lines.append(Line("7", what, f"{ours:.2f} µs", f"{theirs:,.0f} µs", theirs / ours, bar))
    return lines


def _cel(rules: Sequence[Rule]) -> Callable[[Event], int]:
    programs = [cel.compile(peer_rules.translated(rule, peer_rules.CEL)) for rule in rules]

    def evaluate(event: Event) -> int:
        context = cel.Context(peer_rules.as_variables(event))
        return sum(program.execute(context) for program in programs)

    return evaluate


def _rule_engine(rules: Sequence[Rule]) -> Callable[[Event], int] | None:
    if importlib.util.find_spec("rule_engine") is None:
        return None
    engine: Any = importlib.import_module("rule_engine")
    compiled = [engine.Rule(peer_rules.translated(rule, peer_rules.RULE_ENGINE)) for rule in rules]

    def evaluate(event: Event) -> int:
        variables = peer_rules.as_variables(event)
        return sum(each.matches(variables) for each in compiled)

    return evaluate


def _with_globs(plain: Sequence[Rule], rounds: int) -> Line:
    """Of events never seen before: what is remembered of others does not hide the globs."""
    globs = workload.parsed(workload.rule_texts(GLOB_SIZE, globs=0.02))
    ours, floors = [], []
    for seed in range(rounds):
        events = workload.events(NEW, rules=GLOB_SIZE, seed=seed)
        floors.append(_micros(RuleIndex.build(plain).matching, events))
        ours.append(_micros(RuleIndex.build(globs).matching, events))
    return Line(
        "8",
        f"match at {GLOB_SIZE:,} rules, 2 % of them globs",
        f"{middle(ours):.2f} µs",
        f"none: {middle(floors):.2f} µs",
        middle([a / b for a, b in zip(ours, floors, strict=True)]),
        5.0,
        at_most=True,
    )


def _weight(rules: Sequence[Rule]) -> Note:
    began = time.process_time()
    RuleIndex.build(rules)
    seconds = time.process_time() - began
    gc.collect()
    tracemalloc.start()
    index = RuleIndex.build(rules)
    kept, most = (each / 1024 / 1024 for each in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    assert index.matching(workload.events(1, rules=10)[0]) is not None
    figures = f"built in {seconds:.1f} s CPU; weighs {kept:.0f} MiB, {most:.0f} while it is built"
    return Note(f"index of {len(rules):,} rules", figures)


async def _swap_beside_events() -> Note:
    """How long the loop that routes events is kept waiting while a table is built and swapped."""
    events = workload.events(1_000, rules=MANY)
    with tempfile.TemporaryDirectory() as directory:
        database = await open_database(f"sqlite:///{Path(directory) / 'router.db'}")
        await upgrade(database, "router")
        in_force = InForce(database, Revisions(database, SystemClock()))
        running = asyncio.create_task(in_force.run())
        in_force.offer(*_configured(1))
        await in_force.at_least(1)
        idle = await _passes(in_force, events, asyncio.create_task(asyncio.sleep(2)))
        changed = _configured(2)
        began = time.perf_counter()
        in_force.offer(*changed)
        during = await _passes(in_force, events, asyncio.ensure_future(in_force.at_least(2)))
        seconds = time.perf_counter() - began
        running.cancel()
        await database.close()
    return Note(
        f"an event while {MANY:,} rules are swapped",
        f"p50 {_quantile(during, 0.5):.1f} ms, p99 {_quantile(during, 0.99):.1f}, "
        f"longest {max(during):.0f}, for {seconds:.1f} s; "
        f"else p50 {_quantile(idle, 0.5):.1f}, p99 {_quantile(idle, 0.99):.1f}",
    )


async def _passes(
    in_force: InForce, events: Sequence[Event], until: asyncio.Future[Any]
) -> list[float]:
    """Milliseconds of each pass of the loop that routes one event, a millisecond after the last."""
    passes: list[float] = []
    while not until.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        table = in_force.table
        assert table is not None
        who_hears(table, events[len(passes) % len(events)])
        passes.append((time.perf_counter() - began) * 1000)
    return passes


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def _configured(revision: int) -> tuple[Snapshot, pb.ConfigSnapshot]:
    """A tenth of the subscriptions are others in each revision, with other rules."""
    texts = list(workload.rule_texts(MANY))
    texts[::10] = list(workload.rule_texts(MANY, seed=revision))[::10]
    kept = pb.ConfigSnapshot(revision=revision)
    chat = kept.targets.add().target
    chat.name, chat.uid, chat.webhook.url = "chat", "u-chat", "http://127.0.0.1/"
    for number, text in enumerate(texts):
        group = kept.groups.add(name=f"g{number:06}", uid=f"u{number}")
        uid = f"s{number}" if number % 10 else f"s{number}-{revision}"
        group.subscriptions.add(uid=uid, target="chat", rule=text)
    return WatchedState(kept).to_snapshot(), kept
