"""Sends a lab's mail server the same script of traffic, and writes down what became of each recipient.

    python3 traffic.py PROGRAM SEED TRUTH EARLY

PROGRAM is the server's `sendmail` command, which submits mail on the host. A line of TRUTH is one recipient
of a message that the server took, one attempt that it refused, or one that shall not be counted (grain
"none"): case, client, sender, recipient, grain, stage, outcome, direction, queue_id, reply. A recipient's
outcome is what the next server did (world.py); run.sh lets the queue run until only deferred mail is left.
The first messages are to expire: when they are sent, EARLY is made, and all others are sent GAP seconds
later, so that run.sh can name a lifetime of the queue that the first have passed and no other.

Outcome "merged": an address that was named twice, which every server takes as one recipient.
"""

import json
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SERVER = ("192.0.2.10", 25)
OWN_CLIENT = "192.0.2.20"
OWN_DOMAINS = ("lab.example", "virt.example", "hosted.example")
CLIENTS = [f"203.0.113.{number}" for number in range(10, 15)]
USERS = ["alice", "bob", "carol", "dave"]
GAP = 25
LISTED, REFUSED, PUT_OFF = "203.0.113.66", "203.0.113.200", "198.51.100.201"
# Queue ids in the reply of Postfix, Exim, Sendmail.
QUEUE_ID = r"queued as (\w+)|OK id=([\w-]+)|2\.0\.0 (\w{14}) Message accepted"


class Client:
    """A session with the server."""

    def __init__(self, address: str, *, is_early: bool = False) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(30)
        self.socket.bind((address, 0))
        self.socket.connect(SERVER)
        self.file = self.socket.makefile("rb")
        if is_early:
            self.socket.sendall(b"EHLO early.example\r\n")
        self.greeting = self.read_reply()
        if not is_early and self.greeting[0] == "2":
            self.command("EHLO mail.good.example")

    def read_reply(self) -> str:
        text = ""
        while line := self.file.readline().decode("latin1"):
            text += line
            if line[3:4] != "-":
                return text.strip()
        return "000 closed"

    def command(self, text: str) -> str:
        try:
            self.socket.sendall(text.encode() + b"\r\n")
            return self.read_reply()
        except OSError:
            return "000 closed"

    def leave(self, *, politely: bool = True) -> None:
        if politely:
            self.command("QUIT")
        self.file.close()
        self.socket.close()


class Traffic:
    def __init__(self, program: str, seed: int, truth: Path) -> None:
        self.program = program
        self.chance = random.Random(seed)
        self.truth = truth.open("w", buffering=1)
        self.seed, self.number, self.client = seed, 0, 99

    def note(self, case: str, client: str, sender: str | None, recipient: str | None, grain: str, stage: str,
             outcome: str, reply: str) -> None:  # fmt: skip
        is_own = recipient is None or recipient.rsplit("@")[-1].lower() in (*OWN_DOMAINS, *USERS)
        ours = client in (OWN_CLIENT, "local")
        direction = {(0, 1): "inbound", (1, 1): "internal", (1, 0): "outbound", (0, 0): "transit"}[
            ours, is_own
        ]
        found = re.search(QUEUE_ID, reply)
        queue_id = next(filter(None, found.groups()), None) if found else None
        row = {"case": case, "client": client, "sender": sender, "recipient": recipient, "grain": grain,
               "stage": stage, "outcome": outcome, "direction": direction, "queue_id": queue_id,
               "reply": reply[:3]}  # fmt: skip
        self.truth.write(json.dumps(row, ensure_ascii=False) + "\n")

    def refusal(self, reply: str) -> str:
        return "deferred" if reply[0] == "4" else "rejected"

    def send(self, case: str, client: str | Client, sender: str, recipients: Sequence[str],
             outcome: str | Sequence[str] = "delivered", *, stage: str = "delivery", subject: str = "hello",
             lines: int = 1, size: int = 0, is_folded: bool = False) -> None:  # fmt: skip
        """One message; what the server refuses, its replies say, and what becomes of the rest, `outcome`.

        Args:
            is_folded: a refusal that the same message follows up, which counts no further.
        """
        session = client if isinstance(client, Client) else Client(client)
        address = session.socket.getsockname()[0]
        grain = "none" if is_folded else "attempt"
        self.number += 1

        def note(recipient: str | None, kind: str, at: str, what: str, reply: str) -> None:
            self.note(case, address, sender, recipient, kind, at, what, reply)

        def close() -> None:
            if not isinstance(client, Client):
                session.leave()

        if session.greeting[0] != "2":
            # A client may try all the same; the session is one attempt.
            session.command("EHLO mail.good.example")
            session.command(f"MAIL FROM:<{sender}>")
            self.note(
                case, address, None, None, grain, "connect", self.refusal(session.greeting), session.greeting
            )
            close()
            return
        reply = session.command(f"MAIL FROM:<{sender}>" + (f" SIZE={size}" if size else ""))
        if reply[0] != "2":
            note(None, grain, "envelope", self.refusal(reply), reply)
            close()
            return
        replies = [session.command(f"RCPT TO:<{recipient}>") for recipient in recipients]
        final = ""
        if any(each[0] == "2" for each in replies):
            final = session.command("DATA")
            if final[0] == "3":
                body = "\r\n".join(["some text of the lab, and no more than that"] * lines)
                final = session.command(
                    f"From: <{sender or 'MAILER-DAEMON@good.example'}>\r\nTo: <{recipients[0]}>\r\n"
                    f"Subject: {subject}\r\nMessage-ID: <m{self.seed}.{self.number}@good.example>\r\n"
                    f"\r\n{body}\r\n."
                )
        outcomes = [outcome] * len(recipients) if isinstance(outcome, str) else outcome
        for recipient, answer, becomes in zip(recipients, replies, outcomes, strict=True):
            if answer[0] != "2":
                note(recipient, grain, "envelope", self.refusal(answer), answer)
            elif final[0] != "2":
                kind = "none" if is_folded else "recipient"
                note(recipient, kind, "content", self.refusal(final), final)
            else:
                note(recipient, "recipient", stage, becomes, final)
        close()

    def part(self, case: str, commands: Sequence[str], *, politely: bool, is_cut: bool = False) -> None:
        """A session that brings no message: nothing of it is counted but recipients that were refused."""
        session = Client(self.chance.choice(CLIENTS))
        address = session.socket.getsockname()[0]
        sender = ""
        for text in commands:
            reply = session.command(text)
            path = text.partition("<")[2].partition(">")[0]
            if text.startswith("MAIL"):
                sender = path
            if text.startswith("RCPT"):
                is_taken = reply[0] == "2"
                self.note(case, address, sender, path, "none" if is_taken else "attempt", "envelope",
                          "none" if is_taken else self.refusal(reply), reply)  # fmt: skip
        if is_cut:
            session.socket.sendall(b"Subject: cut\r\n\r\nhalf a mess")
        session.leave(politely=politely)

    def submit(self, sender: str, recipient: str) -> None:
        """A program on the host sends mail."""
        self.number += 1
        text = f"Subject: cron {self.number}\nMessage-ID: <l{self.seed}.{self.number}@lab.example>\n\nhi\n"
        command = [*self.program.split(), "-oi", "-f", sender, recipient]
        subprocess.run(command, input=text.encode(), check=True)
        self.note("local program", "local", sender, recipient, "recipient", "delivery", "delivered", "")

    def send_early(self, early: Path) -> None:
        """Mail to a server that puts off everything, longer than the queue lives."""
        for _ in range(3):
            self.number += 1
            to = [f"e{self.number}@old.remote.example"]
            self.send("out, expired", OWN_CLIENT, "alice@lab.example", to, "expired")
        self.number += 1
        to = [f"e{self.number}@old.remote.example", f"e{self.number}@ok.remote.example"]
        self.send("out, one expired", OWN_CLIENT, "bob@lab.example", to, ["expired", "delivered"])
        early.touch()
        time.sleep(GAP)

    def run(self) -> None:
        chance = self.chance

        def client() -> str:
            return chance.choice(CLIENTS)

        def sender() -> str:
            return fresh("u", "good.example")

        def user() -> str:
            return f"{chance.choice(USERS)}@lab.example"

        def once() -> str:
            """A client that comes once: sessions that name no recipient are told apart by nothing else."""
            self.client += 1
            return f"203.0.113.{self.client}"

        def some(low: int, high: int) -> range:
            return range(chance.randint(low, high))

        def fresh(name: str, domain: str) -> str:
            self.number += 1
            return f"{name}{self.number}@{domain}"

        jobs: list[Any] = []

        def add(low: int, high: int, job: Any) -> None:
            jobs.extend(job for _ in some(low, high))

        def inbound(case: str, recipients: Any, outcome: Any = "delivered", **kwargs: Any) -> Any:
            def job() -> None:
                who = recipients() if callable(recipients) else recipients
                self.send(case, once() if kwargs.get("size") else client(), sender(), who, outcome, **kwargs)

            return job

        def outbound(case: str, recipients: Any, outcome: Any = "delivered", **kwargs: Any) -> Any:
            return lambda: self.send(case, OWN_CLIENT, user(), recipients(), outcome, **kwargs)

        def by(case: str, domain: str, outcome: str = "", **kwargs: Any) -> Any:
            return lambda: self.send(case, once(), fresh("a", domain), [user()], outcome, **kwargs)

        def remote(name: str, domain: str) -> Any:
            return lambda: [fresh(name, f"{domain}.remote.example")]

        # Mail that is taken.
        add(20, 40, inbound("ham", lambda: [user()]))
        add(
            6,
            12,
            inbound(
                "three domains",
                lambda: ["bob@lab.example", "info@virt.example", fresh("x", "hosted.example")],
            ),
        )
        add(3, 6, inbound("null sender", lambda: [user()]))
        add(3, 6, lambda: self.send("null sender", client(), "", [user()]))
        add(5, 9, inbound("alias of three", ["staff@lab.example"]))
        add(3, 6, inbound("alias elsewhere", ["fwd@lab.example"]))
        add(3, 5, inbound("alias here and elsewhere", ["mixed@lab.example"]))
        add(3, 5, inbound("alias and its member", ["staff@lab.example", "carol@lab.example"]))
        add(2, 4, inbound("two aliases", ["staff@lab.example", "fwd@lab.example"]))
        add(2, 4, inbound("alias to nowhere", ["hole@lab.example"], "discarded"))
        add(2, 4, inbound("alias that bounces", ["deadfwd@lab.example"], "bounced"))
        add(3, 6, inbound("name of a virtual domain", ["sales@virt.example"]))
        add(2, 4, inbound("catch-all", lambda: [fresh("any", "virt.example")]))
        add(2, 3, inbound("address with a detail", ["dave+x@lab.example"]))
        add(2, 3, inbound("name without a domain", ["dave"]))
        add(2, 4, inbound("named twice", ["alice@lab.example", "alice@lab.example"], ["delivered", "merged"]))
        add(2, 3, inbound("aliases of one mailbox", lambda: [fresh("m", "virt.example") for _ in range(6)]))
        add(
            2,
            3,
            inbound(
                "mailbox and its aliases",
                lambda: ["carol@lab.example", fresh("m", "virt.example"), fresh("m", "virt.example")],
            ),
        )
        add(2, 4, inbound("too many recipients", lambda: [fresh("t", "hosted.example") for _ in range(13)]))
        add(2, 3, inbound("greylisted", lambda: [user()]))
        # Refused by the envelope.
        add(4, 8, inbound("unknown user", lambda: [fresh("nobody", "lab.example")]))
        add(4, 8, inbound("one known, one not", lambda: ["bob@lab.example", fresh("ghost", "lab.example")]))
        add(2, 4, inbound("closed address", ["nomail@lab.example"]))
        add(2, 4, inbound("closed virtual address", ["old@virt.example"]))
        add(4, 8, inbound("relaying denied", remote("x", "ok")))
        add(3, 6, lambda: self.send("listed client", LISTED, sender(), [user()]))
        add(3, 5, lambda: self.send("refused client", REFUSED, sender(), [user()]))
        add(1, 1, lambda: self.send("client put off", PUT_OFF, sender(), [user()]))
        add(3, 6, by("refused sender", "spamdom.example"))
        add(2, 4, by("sender put off", "slow.example"))
        add(2, 4, by("unknown sender domain", "nosuch.example"))
        add(2, 4, by("sender discarded", "discard.example", "discarded", stage="envelope"))
        add(2, 4, by("sender held", "quar.example", "quarantined", stage="envelope"))
        add(2, 4, inbound("SIZE too big", lambda: [user()], size=900_000))
        # Refused by the content.
        add(2, 3, inbound("body too big", lambda: [user()], lines=6_000))
        add(8, 15, inbound("spam", lambda: [user()], subject="buy now"))
        add(3, 5, inbound("spam to two", ["alice@lab.example", "bob@lab.example"], subject="buy now"))
        add(2, 4, inbound("scanner busy", lambda: [user()], subject="later please"))
        add(
            2,
            4,
            inbound("content discarded", lambda: [user()], "discarded", stage="content", subject="drop it"),
        )
        add(
            2, 4, inbound("content held", lambda: [user()], "quarantined", stage="content", subject="hold it")
        )
        # Sent to others.
        add(8, 15, outbound("out", remote("c", "ok")))
        add(3, 6, outbound("out, put off", remote("c", "defer"), "deferred"))
        add(3, 6, outbound("out, no such user", remote("c", "reject"), "bounced"))
        add(2, 3, outbound("out, called spam", remote("spam", "reject"), "bounced"))
        add(2, 4, outbound("out, refused after DATA", remote("d", "ok"), "bounced", subject="REFUSE-THERE"))
        add(2, 3, outbound("out, server down", remote("d", "down"), "deferred"))
        add(3, 5, outbound("out, greylisted there", remote("g", "grey")))
        add(
            2,
            4,
            outbound(
                "out, three fates",
                lambda: [fresh(name, "mixed.remote.example") for name in ("ok", "bad", "later")],
                ["delivered", "bounced", "deferred"],
            ),
        )
        add(3, 6, outbound("internal", lambda: ["bob@lab.example"]))
        add(3, 6, lambda: self.submit("root@lab.example", fresh("p", "ok.remote.example")))
        # No message.
        good = "RCPT TO:<alice@lab.example>"

        def mail() -> str:
            return f"MAIL FROM:<{fresh('x', 'good.example')}>"

        def bad() -> str:
            return f"RCPT TO:<{fresh('ghost', 'lab.example')}>"

        add(8, 20, lambda: self.part("callout", ["MAIL FROM:<>", good], politely=True))
        add(3, 6, lambda: self.part("harvester", [mail(), bad(), good, bad()], politely=True))
        add(3, 6, lambda: self.part("RSET after RCPT", [mail(), good, "RSET"], politely=True))
        add(3, 6, lambda: self.part("lost after RCPT", [mail(), good], politely=False))
        add(3, 6, lambda: self.part("cut DATA", [mail(), good, "DATA"], politely=False, is_cut=True))
        add(2, 3, lambda: self.part("nothing but MAIL", [mail()], politely=True))

        def early() -> None:
            session = Client(client(), is_early=True)
            if session.greeting[0] != "2":
                address = session.socket.getsockname()[0]
                self.note("talks before the greeting", address, None, None, "attempt", "connect",
                          self.refusal(session.greeting), session.greeting)  # fmt: skip
            session.leave()

        add(2, 4, early)

        def greylisted() -> None:
            again: dict[str, Any] = {
                "client": client(), "sender": fresh("grey", "good.example"), "recipients": [user()]
            }  # fmt: skip
            self.send("greylisted here", **again, is_folded=True)
            # Stamps are whole seconds.
            time.sleep(1.1)
            self.send("greylisted here", **again)

        add(3, 6, greylisted)
        add(
            2,
            3,
            lambda: self.send("greylisted, not again", client(), fresh("grey", "good.example"), [user()]),
        )

        def three() -> None:
            session = Client(client())
            for _ in range(3):
                self.send("three in a session", session, sender(), [user()])
            session.leave()

        add(2, 3, three)

        def after_reset() -> None:
            session = Client(client())
            for text in (mail(), good, "RSET"):
                session.command(text)
            self.send("message after RSET", session, sender(), [user()])
            session.leave()

        add(2, 4, after_reset)
        chance.shuffle(jobs)
        for job in jobs:
            job()
            time.sleep(chance.choice((0, 0, 0.02)))
        self.truth.close()


traffic = Traffic(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
traffic.send_early(Path(sys.argv[4]))
traffic.run()
