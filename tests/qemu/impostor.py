# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that behaves as QEMU until a child is asked for one certain read, and then does not.

Started in QEMU's place: it starts the real one (``QSIM_REAL_QEMU``) behind a QMP socket of its own
and passes everything on, children's connections too, until a read at ``OFFSET`` goes by.  Then it
does ``QSIM_ACT``: with the real QEMU or in its place.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

#: The read that ends the pretence.
OFFSET = 4242 * 8
READ = struct.pack(">IHH", 0x25609513, 0, 0)
SURPRISE = b'{"event": "QUORUM_SURPRISE", "data": {}, "timestamp": {"seconds": %d, "microseconds": %d}}\r\n'
REPORT = """\
=================================================================
==1234==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010
READ of size 8 at 0x602000000010 thread T0
    #0 0x55d0 in quorum_vote ../block/quorum.c:600
"""
ASSERTION = (
    "qemu-system-x86_64: ../block/quorum.c:600: quorum_vote: Assertion `acb->success_count' failed."
)
RUNTIME = "../block/quorum.c:300:12: runtime error: signed integer overflow: 1 + 2147483647"

FOLDER = Path(f"impostor-{os.getpid()}")


class Impostor:
    """One process pretending to be QEMU."""

    def __init__(self, arguments: list[str]) -> None:
        self.act = os.environ["QSIM_ACT"]
        place = next(i for i, word in enumerate(arguments) if word.startswith("socket,id=qmp,"))
        self.theirs = arguments[place].partition("path=")[2]
        self.folder = Path(self.theirs).parent / FOLDER
        self.folder.mkdir(mode=0o700)
        ours = str(self.folder / "qmp")
        self.listening = self.listen("qmp")
        words = list(arguments)
        words[place] = f"socket,id=qmp,path={ours}"
        self.done = threading.Event()
        #: What to end with once the real QEMU has ended, where that is not its own status.
        self.status: int | None = None
        self.qemu = subprocess.Popen([os.environ["QSIM_REAL_QEMU"], *words])
        self.qmp = socket.socket(socket.AF_UNIX)

    def listen(self, name: str) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self.folder / name))
        listening.listen(64)
        return listening

    def run(self) -> int:
        """Relay until the real QEMU ends; its status, or that of the act."""
        real, _ = self.listening.accept()
        self.qmp.connect(self.theirs)
        children = self.listen("children")
        threading.Thread(target=self.serve, args=(children,), daemon=True).start()
        path = re.compile(rb'"path": *"([^"]*children\.sock)"')

        def redirected(data: bytes) -> bytes:
            found = path.search(data)
            if found:
                self.children = found[1].decode()
            return path.sub(b'"path": "%s"' % str(self.folder / "children").encode(), data)

        self.pump(self.qmp, real, redirected)
        self.pump(real, self.qmp, lambda data: data)
        status = self.qemu.wait()
        for path_left in self.folder.iterdir():
            path_left.unlink()
        self.folder.rmdir()
        if self.status is not None:
            return self.status
        if status < 0:
            signal.signal(-status, signal.SIG_DFL)
            os.kill(os.getpid(), -status)
        return status

    def pump(self, source: socket.socket, sink: socket.socket, change: object) -> None:
        def carry() -> None:
            try:
                while data := source.recv(1 << 20):
                    sink.sendall(change(data))  # type: ignore[operator]
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        threading.Thread(target=carry, daemon=True).start()

    def serve(self, listening: socket.socket) -> None:
        while True:
            real, _ = listening.accept()
            child = socket.socket(socket.AF_UNIX)
            child.connect(self.children)
            self.pump(real, child, self.watched)
            self.pump(child, real, lambda data: data)

    def watched(self, data: bytes) -> bytes:
        at = data.find(READ)
        meant = at >= 0 and data[at + 16 : at + 24] == struct.pack(">Q", OFFSET)
        if meant and not self.done.is_set():
            self.done.set()
            self.misbehave()
        return data

    def misbehave(self) -> None:
        """What the act is."""
        match self.act:
            case "segv":
                self.qemu.send_signal(signal.SIGSEGV)
            case "abort":
                self.say(ASSERTION)
                self.qemu.send_signal(signal.SIGABRT)
            case "exit":
                self.say("qemu-system-x86_64: that is enough")
                self.status = 3
                self.qemu.kill()
            case "sanitizer":
                self.say(REPORT)
                self.status = 1
                self.qemu.kill()
            case "runtime":
                self.say(RUNTIME)
            case "hang":
                self.qemu.send_signal(signal.SIGSTOP)
            case "close":
                self.qmp.shutdown(socket.SHUT_RDWR)
            case "babble":
                self.qmp.sendall(b"segmentation fault, but in words\r\n")
            case "surprise":
                self.qmp.sendall(SURPRISE % divmod(time.time_ns() // 1000, 1_000_000))

    @staticmethod
    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if "--version" in sys.argv:
        print("QEMU emulator version 0.0 (impostor)")
        sys.exit(0)
    sys.exit(Impostor(sys.argv[1:]).run())
