"""A test, of a saved target or of what stands in a form: each stage as it happens.

With scripts the stages come one by one, a line of JSON each; without, a page has them all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web

from ibs_notify.console.forms import REFUSED, Form, faults_of, read_form
from ibs_notify.console.pages.route import Route
from ibs_notify.console.pages.target_form import EDIT, NEW, draft_of, kind_of
from ibs_notify.console.pages.targets import ONE, target_of_path
from ibs_notify.console.targets.changes import loss_of, write_again
from ibs_notify.console.targets.words import NAMES
from ibs_notify.console.visit import Visit
from ibs_notify.console.wording.form_words import advice, worded
from ibs_notify.domain.errors import NotificationError, Reason
from ironcore.notification.v1.config_service_pb2 import ConfigServiceStreamTargetTestRequest
from ironcore.notification.v1.target_pb2 import Target, TestProgress, TestStage

LINES = "application/x-ndjson"
SECONDS = 120.0
BREATH_SECONDS = 2.0
"""An empty line goes out so often, so that a visitor who left is noticed."""

Ask = Callable[[], ConfigServiceStreamTargetTestRequest]
Line = dict[str, Any]


async def try_new(visit: Visit) -> web.StreamResponse:
    """What stands in the form of a new target."""
    kind, form = visit.request.match_info["kind"], await read_form(visit.request)
    return await _run(
        visit, form, lambda: ConfigServiceStreamTargetTestRequest(draft=draft_of(kind, form))
    )


async def try_edited(visit: Visit) -> web.StreamResponse:
    """What stands in the form of a stored one, with its secrets where it stays in its place."""
    stored, form = await target_of_path(visit), await read_form(visit.request)
    kind = kind_of(stored)
    return await _run(
        visit,
        form,
        lambda: ConfigServiceStreamTargetTestRequest(draft=draft_of(kind, form, stored)),
        stored,
    )


async def try_saved(visit: Visit) -> web.StreamResponse:
    """What is stored."""
    form, name = await read_form(visit.request), visit.request.match_info["name"]
    return await _run(visit, form, lambda: ConfigServiceStreamTargetTestRequest(name=name))


async def _run(
    visit: Visit, form: Form, ask: Ask, stored: Target | None = None
) -> web.StreamResponse:
    heard = _lines(visit, form, ask, stored)
    if LINES in visit.request.headers.get("Accept", ""):
        return await _as_lines(visit, heard)
    lines = [line async for line in heard]
    refused = next((line["refused"] for line in lines if "refused" in line), None)
    return visit.render(
        "pages/target_test.html",
        status=REFUSED if refused else 200,
        stages=[line["ended"] for line in lines if "ended" in line],
        result=next((line["result"] for line in lines if "result" in line), None),
        refused=refused,
    )


async def _as_lines(visit: Visit, heard: AsyncGenerator[Line, None]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": LINES})
    await response.prepare(visit.request)
    async with aclosing(heard) as lines:
        coming = asyncio.create_task(_next(lines))
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=BREATH_SECONDS)
                line = coming.result() if done else {}
                if line is None:
                    break
                await response.write((json.dumps(line) if line else "").encode() + b"\n")
                if done:
                    coming = asyncio.create_task(_next(lines))
        except ConnectionError:
            pass  # whoever asked has left
        finally:
            coming.cancel()
            await asyncio.wait({coming})
    return response


async def _next(lines: AsyncGenerator[Line, None]) -> Line | None:
    return await anext(lines, None)


async def _lines(
    visit: Visit, form: Form, ask: Ask, stored: Target | None
) -> AsyncGenerator[Line, None]:
    """What is heard of a test; a refusal ends it."""
    try:
        request = ask()
        request.recipients.extend(form.words("test_recipient"))
        call = visit.api.stream(visit.api.config.StreamTargetTest, request, timeout=SECONDS)
        async with aclosing(call) as answers:
            async for answer in answers:
                yield _line(answer.progress)
    except NotificationError as error:
        faults = faults_of(error, NAMES)
        if stored and error.reason is Reason.SECRET_REQUIRED:
            loss = loss_of(stored, draft_of(kind_of(stored), form, stored), form)
            faults = write_again(stored, loss) if loss else faults
        yield {
            "refused": {
                "summary": faults.summary,
                "advice": advice(faults.advice),
                "fields": dict(faults.fields),
            }
        }


def _line(progress: TestProgress) -> Line:
    match progress.WhichOneof("news"):
        case "began":
            return {"began": progress.began}
        case "ended":
            return {"ended": _stage(progress.ended)}
        case _:
            result = progress.result
            return {"result": {"ok": result.ok, "summary": worded(result.summary)}}


def _stage(stage: TestStage) -> Line:
    return {
        "name": stage.name,
        "ok": stage.ok,
        "detail": worded(stage.detail),
        "time": f"{stage.duration_ms:,.1f} ms",
    }


ROUTES = (
    Route("POST", f"{NEW}/test", try_new),
    Route("POST", f"{EDIT}/test", try_edited),
    Route("POST", f"{ONE}/test", try_saved),
)
