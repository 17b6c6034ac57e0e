"""The same store under gevent, its blocking work in native threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys
from pathlib import Path
import gevent
from secure_msg.ledger.transaction import Put, Transaction
from secure_msg.store.durable import Disk
from tests.store.contract import ALICE, PATH, THREAD, account, audit, ident, message, opened
from tests.store.house import FileHouse

house = FileHouse(Path(sys.argv[1]))
offload = lambda work: gevent.get_hub().threadpool.apply(work)
store = house.open(Disk(), offload=offload)
store.commit(account(ALICE, "alice"))
store.commit(opened())

def send(number):
    unique = ident(str(number))[:16]
    put = Put(ident(f"owner {number}"), PATH, 0, b"blob")
    for _ in range(2):
        done = store.commit(Transaction((message(b"m", unique=unique, seen=1),), (put,)))
    assert done.repeat

senders = [gevent.spawn(send, number) for number in range(100)]
gevent.joinall(senders, raise_error=True)
store.flush()
store.erase(THREAD, 5)
assert store.head(THREAD).size == 101
assert store.stats().batches < 50
audit(store, house.identity)
audit(house.open(offload=offload), house.identity)
house.close()
print("whole")
"""


def test_green_senders_share_commits_and_flushes(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "storage")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout == "whole\n", ran.stderr
