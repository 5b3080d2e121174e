"""Surroundings of a mail server of the lab: a syslog, the servers that it sends to, and a milter.

Started by run.sh in a network namespace; ends when the folder's file `stop` appears.

    python3 world.py FOLDER
"""

import asyncio
import os
import socket
import struct
import sys
from pathlib import Path

# Next servers by what they do with a recipient or a message.
SINKS = {
    "ok": "198.51.100.10",
    "defer": "198.51.100.11",
    "reject": "198.51.100.12",
    "grey": "198.51.100.13",
    "mixed": "198.51.100.14",
    # Where the clients' own domain takes its bounces.
    "good": "203.0.113.10",
}
MILTER = ("127.0.0.1", 8899)
HOST = "mx1"


class SyslogWriter(asyncio.DatagramProtocol):
    """Writes what programs send to /dev/log as RFC 3164 lines, in the order in which it came."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a", buffering=1)

    def datagram_received(self, data: bytes, addr: object) -> None:
        text = data.decode("utf-8", "replace").rstrip("\n\0")
        stamped = text.partition(">")[2]
        self.file.write(f"{stamped[:15]} {HOST} {stamped[16:]}\n")


class Sink:
    """A mail server of another operator."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.seen: set[str] = set()

    def answer_recipient(self, address: str) -> str:
        name = address.split("@")[0].lower()
        if self.kind == "defer" or (self.kind == "mixed" and name.startswith("later")):
            return "451 4.3.0 try again later"
        if self.kind == "reject" and name.startswith("spam"):
            return "550 5.7.1 spam is not wanted here"
        if self.kind == "reject" or (self.kind == "mixed" and name.startswith("bad")):
            return "550 5.1.1 no such user"
        if self.kind == "grey" and address not in self.seen:
            self.seen.add(address)
            return "450 4.7.1 greylisted"
        return "250 2.1.5 Ok"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        say(f"220 {self.kind}.remote.example ESMTP")
        while line := await reader.readline():
            verb, _, rest = line.decode("latin1").strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    say(f"250-{self.kind}.remote.example\r\n250 ENHANCEDSTATUSCODES")
                case "RCPT":
                    say(self.answer_recipient(rest.partition("<")[2].partition(">")[0]))
                case "DATA":
                    say("354 go ahead")
                    await writer.drain()
                    text = await reader.readuntil(b"\r\n.\r\n")
                    say(
                        "554 5.7.1 refused as spam"
                        if b"REFUSE-THERE" in text
                        else "250 2.0.0 Ok: queued as S1NK"
                    )
                case "QUIT":
                    say("221 2.0.0 bye")
                    break
                case _:
                    say("250 2.0.0 Ok")
            await writer.drain()
        writer.close()


class Milter:
    """A filter of the operator: by the sender at RCPT, by the first word of the subject after DATA."""

    VERDICTS = {
        "buy": b"y550 5.7.1 This is spam\0",
        "later": b"y451 4.7.1 Scanner is busy, try again later\0",
        "drop": b"d",
    }

    def __init__(self) -> None:
        self.greylisted: set[tuple[bytes, bytes]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(packet: bytes) -> None:
            writer.write(struct.pack("!I", len(packet)) + packet)

        sender, word = b"", ""
        try:
            while True:
                (length,) = struct.unpack("!I", await reader.readexactly(4))
                packet = await reader.readexactly(length)
                command, data = packet[:1], packet[1:]
                if command == b"O":
                    version = min(6, struct.unpack("!I", data[:4])[0])
                    # SMFIF_QUARANTINE; no step is left out.
                    say(b"O" + struct.pack("!III", version, 0x20, 0))
                elif command == b"M":
                    sender, word = data.split(b"\0")[0], ""
                    say(b"c")
                elif command == b"R":
                    pair = (sender, data.split(b"\0")[0])
                    is_new = sender.startswith(b"<grey") and pair not in self.greylisted
                    self.greylisted.add(pair)
                    say(b"y451 4.7.1 Greylisted, come back later\0" if is_new else b"c")
                elif command == b"L":
                    name, value = data.split(b"\0")[:2]
                    if name.lower() == b"subject":
                        word = value.decode("latin1").split()[0] if value.split() else ""
                    say(b"c")
                elif command == b"E":
                    if word == "hold":
                        say(b"qlooks odd\0")
                    say(self.VERDICTS.get(word, b"c"))
                elif command == b"Q":
                    break
                elif command not in b"DAK":
                    say(b"c")
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        writer.close()


async def main(folder: Path) -> None:
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)  # noqa: S103
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: SyslogWriter(folder / "mail.log"), sock=log)
    for kind, address in SINKS.items():
        await asyncio.start_server(Sink(kind).serve, address, 25, limit=2**22)
    await asyncio.start_server(Milter().serve, *MILTER)
    (folder / "ready").touch()
    while not (folder / "stop").exists():
        await asyncio.sleep(0.2)


asyncio.run(main(Path(sys.argv[1])))
