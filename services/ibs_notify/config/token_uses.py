"""What Router and Delivery say of the use of tokens, as Config keeps it. Pure."""

from __future__ import annotations

from datetime import datetime

from ibs_notify.config.faults import Faults
from ibs_notify.rpc.convert import is_moment, moment_from_proto
from ironcore.notification.v1.config_service_pb2 import ReportTokenUseRequest

MOST_USES = 1000


def read_uses(request: ReportTokenUseRequest, now: datetime) -> dict[str, datetime]:
    """The last use of each token by its id; a clock that is ahead says ``now``."""
    faults = Faults()
    if len(request.uses) > MOST_USES:
        faults.add("uses", f"has {len(request.uses)} entries; at most {MOST_USES}")
    uses: dict[str, datetime] = {}
    for index, each in enumerate(request.uses[:MOST_USES]):
        if not is_moment(each.time):
            faults.add(f"uses[{index}].time", "is not between the years 1 and 9999")
        else:
            uses[each.token_id] = min(moment_from_proto(each.time), now)
    faults.raise_any()
    return uses
