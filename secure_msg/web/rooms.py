"""What the rooms hold in memory follows the commits that other processes asked for."""

from __future__ import annotations

from dataclasses import dataclass

from secure_msg.accounts.directory import Directory
from secure_msg.accounts.sessions import Sessions
from secure_msg.codec.http import SESSIONS_PATH
from secure_msg.ledger.followed import Followed
from secure_msg.messages.folders import Folders
from secure_msg.messages.threads import Threads
from secure_msg.web.realtime import Realtime


@dataclass(frozen=True, slots=True)
class Rooms:
    """A Follower. The accounts' chains need nothing: they compare with the head at each use."""

    directory: Directory
    sessions: Sessions
    threads: Threads
    folders: Folders
    live: Realtime

    def followed(self, commit: Followed) -> None:
        for chain in commit.chains:
            if chain.begun == "account" and chain.before == 0:
                self.directory.add(chain.chain, chain.label.decode("utf-8"))
            elif chain.begun == "opened":
                self.threads.grown(chain.chain, chain.label, chain.size, commit.time)
        for file in commit.files:
            size = file.length if file.version else None
            self.folders.moved(file.account, file.path, size)
            if file.path == SESSIONS_PATH:
                self.sessions.forget(file.account)
                self.live.sessions_changed(file.account)

    def lost(self) -> None:
        self.sessions.forget_all()
