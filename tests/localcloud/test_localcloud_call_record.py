from __future__ import annotations

from localcloud.call_record import CallRecord, pages
from localcloud.request import Request

REGISTER = Request("elasticloadbalancing", "RegisterInstancesWithLoadBalancer")
ENDED = Request("ec2", "TerminateInstances")


def test_calls_are_kept_with_their_caller_and_moment_oldest_first() -> None:
    moments = iter((1.0, 2.0, 3.0))
    record = CallRecord(lambda: next(moments))
    for caller in ("10.0.0.4", "10.0.0.5", "10.0.0.4"):
        record.note(REGISTER, caller)
    (page,) = pages(record).values()
    told = {"service": "elasticloadbalancing", "action": "RegisterInstancesWithLoadBalancer"}
    assert page({"since": 1.0})["calls"] == [
        {"time": 2.0, "caller": "10.0.0.5", **told},
        {"time": 3.0, "caller": "10.0.0.4", **told},
    ]
    assert len(page({})["calls"]) == 3


def test_the_oldest_calls_are_forgotten_first() -> None:
    record = CallRecord()
    record.note(ENDED, "127.0.0.1")
    for _ in range(20_000):
        record.note(REGISTER, "10.0.0.4")
    kept = record.since(0)
    assert len(kept) == 20_000
    assert {one["action"] for one in kept} == {"RegisterInstancesWithLoadBalancer"}
