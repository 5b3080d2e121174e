"""Clients of a mail server, and refusals before a message exists."""

from sample_data.generator.deliveries import TLS_SERVER, Client
from sample_data.generator.mail import MailServer
from sample_data.generator.texts import FIRST_NAMES, WORDS
from sample_data.generator.truth import Measure, Message, Recipient
from sample_data.generator.world import MINUTE, SECOND, address_in

DNSBL = Measure("DNSBL", True)
GREYLIST = Measure("GREYLIST", True)
PROTOCOL_TEST = Measure("PROTOCOL_TEST", True)
SENDER_VERIFY = Measure("SENDER_VERIFY", True)
HELO_RDNS = Measure("HELO_RDNS", True)
RECIPIENT_CHECK = Measure("RECIPIENT_CHECK", False)
POLICY_RELAY = Measure("POLICY_RELAY", False)
NOISE = {"hangup": 3, "lost": 3, "login": 3, "imap": 8, "anvil": 2, "spamd": 2}


class Refusals(MailServer):
    """A mail server, seen from the clients that it turns away."""

    @property
    def has_postscreen(self) -> bool:
        return not self.profile.has_content_filter

    # --- who ------------------------------------------------------------------------------------------

    def bot(self) -> Client:
        """A client that sends spam."""
        countries = self.profile.spam_countries
        country = self.rng.choices(list(countries), list(countries.values()))[0]
        ip = address_in(self.rng, country, self.profile.ipv6_share * 0.4)
        word = self.rng.choice(WORDS)
        if ":" in ip or self.world.chance(0.6):
            return Client("unknown", ip, f"{word}.bulk.example")
        return Client(f"host-{ip.replace('.', '-')}.{word}-dyn.example", ip, f"{word}.bulk.example")

    def spammer(self) -> str:
        name, word = self.rng.choice(FIRST_NAMES), self.rng.choice(WORDS)
        return f"{name}{self.rng.randrange(1000)}@{word}-{self.rng.choice(WORDS)}.example"

    def victims(self, most: int) -> list[str]:
        count = 1 if self.world.chance(0.7) else self.rng.randint(2, most)
        return self.rng.sample(self.users, count)

    def spam_type(self) -> str:
        types = self.profile.spam_types
        return self.rng.choices(list(types), list(types.values()))[0]

    def unknown_user(self) -> str:
        table = "local recipient" if self.profile.has_content_filter else "virtual mailbox"
        return f"550 5.1.1 <{{rcpt}}>: Recipient address rejected: User unknown in {table} table"

    # --- connections ----------------------------------------------------------------------------------

    def greet(self, at: int, client: Client, daemon: str = "smtpd") -> tuple[int, int]:
        """The client gets to smtpd; returns the time and the process."""
        if self.has_postscreen and not client.user:
            port = self.rng.randrange(1024, 65000)
            screen = self.own_pids["postscreen"]
            old = self.world.chance(0.8)
            self.say(at, "postscreen", screen, self.connect_text(client, port))
            at += 700 if old else 6 * SECOND
            self.say(at, "postscreen", screen, f"PASS {'OLD' if old else 'NEW'} [{client.ip}]:{port}")
            at += 500
        pid = self.pid("smtpd", at, 12)
        self.say(at, daemon, pid, f"connect from {client.name}[{client.ip}]")
        if self.world.chance(0.75):
            at += self.world.span(0.05, 0.3)
            who = f"{client.name}[{client.ip}]: {TLS_SERVER}"
            self.say(at, daemon, pid, f"Anonymous TLS connection established from {who}")
        return at + self.world.span(0.05, 0.5), pid

    def connect_text(self, client: Client, port: int) -> str:
        own = (
            f"2001:db8:{self.profile.networks[1].split(':')[2]}::25"
            if ":" in client.ip
            else self.profile.server_ip
        )
        return f"CONNECT from [{client.ip}]:{port} to [{own}]:25"

    def hangup_text(self, client: Client, port: int, seconds: float, phase: str = "after") -> str:
        return f"HANGUP after {seconds:.1f} from [{client.ip}]:{port} in tests {phase} SMTP handshake"

    def leave(
        self, at: int, pid: int, client: Client, good: int, bad: int, data: str = "", daemon: str = "smtpd"
    ) -> None:
        """The disconnect line; `data` is ok, refused or empty."""
        total = good + bad
        rcpt = f"{good}/{total}" if bad else f"{good}"
        parts = [f"ehlo=1 mail=1 rcpt={rcpt}"]
        done = 3 + good - 1 if not bad else 2 + good
        tried = 2 + total
        if client.user:
            parts.insert(0, "auth=1")
            done, tried = done + 1, tried + 1
        if data:
            parts.append("data=1" if data == "ok" else "data=0/1")
            done, tried = done + (data == "ok"), tried + 1
        done, tried = done + 1, tried + 1
        commands = f"{done}/{tried}" if done != tried else f"{done}"
        who = f"{client.name}[{client.ip}]"
        self.say(at + 600, daemon, pid, f"disconnect from {who} {' '.join(parts)} quit=1 commands={commands}")

    def refuse(
        self, at: int, client: Client, sender: str, recipients: list[str], text: str, measure: Measure,
        direction: str = "inbound", is_spam: bool = True,
    ) -> None:  # fmt: skip
        """A session in which every RCPT is refused; `text` may hold {rcpt} and {ip}.

        The same recipient may stand twice in `recipients`: two lines, one attempt.
        """
        at, pid = self.greet(at, client)
        first = at
        for recipient in recipients:
            said = text.format(rcpt=recipient, ip=client.ip, sender=sender, helo=client.helo)
            where = f"RCPT from {client.name}[{client.ip}]"
            tail = f"from=<{sender}> to=<{recipient}> proto=ESMTP helo=<{client.helo}>"
            self.say(at, "smtpd", pid, f"NOQUEUE: reject: {where}: {said}; {tail}")
            at += self.world.span(0.05, 0.3)
        self.leave(at, pid, client, 0, len(recipients))
        self.attempt(
            first,
            client,
            sender,
            recipients,
            "envelope",
            measure,
            direction,
            is_temporary=text[0] == "4",
            is_spam=is_spam,
        )

    def attempt(
        self,
        at: int,
        client: Client,
        sender: str,
        recipients: list[str],
        stage: str,
        measure: Measure,
        direction: str = "inbound",
        *,
        is_temporary: bool = False,
        is_spam: bool = True,
    ) -> None:
        """Tell the truth of a refused session: one attempt for each recipient that it named, or one."""
        outcome = "deferred" if is_temporary else "rejected"
        named = [Recipient(r, stage, outcome) for r in dict.fromkeys(recipients or [""])]
        refused = Message(at, "EMAIL", direction, sender, named, client.ip, measure=measure)
        refused.is_attempt, refused.is_temporary, refused.is_spam = True, is_temporary, is_spam
        self.truth.close(self.truth.open(refused))

    def listed(self, at: int, client: Client, sender: str, victims: list[str], sessions: int) -> None:
        """A client on a DNS list, refused by postscreen or by smtpd; it may come back for the same."""
        if self.has_postscreen and self.world.chance(0.6):
            port = self.rng.randrange(1024, 65000)
            screen = self.own_pids["postscreen"]
            self.say(at, "postscreen", screen, self.connect_text(client, port))
            self.list_lines(at, client, port)
            said = at + self.world.span(6.5, 8)
            for place, victim in enumerate(victims):
                self.say(
                    said + place * 90_000,
                    "postscreen",
                    screen,
                    f"NOQUEUE: reject: RCPT from [{client.ip}]:{port}: 550 5.7.1 Service unavailable; client"
                    f" [{client.ip}] blocked using zen.spamhaus.org; from=<{sender}>, to=<{victim}>,"
                    f" proto=ESMTP, helo=<{client.helo}>",
                )
            end = said + len(victims) * 90_000
            if self.world.chance(0.3):
                self.say(
                    end,
                    "postscreen",
                    screen,
                    self.hangup_text(client, port, self.rng.uniform(0.2, 3)),
                )
            self.say(end + 300, "postscreen", screen, f"DISCONNECT [{client.ip}]:{port}")
            self.attempt(said, client, sender, victims, "envelope", DNSBL)
        else:
            zone = self.rng.choice(("zen.spamhaus.org", "zen.spamhaus.org", "bl.spamcop.net"))
            see = (
                "https://www.spamhaus.org/query/ip/{ip}"
                if zone[0] == "z"
                else "Blocked - see https://www.spamcop.net/bl.shtml?{ip}"
            )
            said_text = f"554 5.7.1 Service unavailable; Client host [{{ip}}] blocked using {zone}; {see}"
            self.refuse(at, client, sender, victims, said_text, DNSBL)
        if sessions > 1:
            self.world.later(
                at + self.world.span(60, 2 * 3600), self.listed, client, sender, victims, sessions - 1
            )

    def list_lines(self, at: int, client: Client, port: int) -> None:
        pid = self.pid("dnsblog", at, 1)
        code = self.rng.choice((2, 3, 4, 4, 10))
        self.say(
            at + 4000, "dnsblog", pid, f"addr {client.ip} listed by domain zen.spamhaus.org as 127.0.0.{code}"
        )
        if self.world.chance(0.4):
            self.say(
                at + 9000, "dnsblog", pid, f"addr {client.ip} listed by domain bl.spamcop.net as 127.0.0.2"
            )
        rank = self.rng.randint(3, 5)
        self.say(
            at + 6 * SECOND,
            "postscreen",
            self.own_pids["postscreen"],
            f"DNSBL rank {rank} for [{client.ip}]:{port}",
        )

    def screen_out(self, at: int, client: Client, fate: str) -> None:
        """A session that ends in postscreen before it names a recipient."""
        if not self.has_postscreen:
            self.listed(at, client, self.spammer(), self.victims(3), 1)
            return
        port = self.rng.randrange(1024, 65000)
        screen = self.own_pids["postscreen"]
        self.say(at, "postscreen", screen, self.connect_text(client, port))
        if fate == "pregreet":
            greeting = f"EHLO {client.helo}\\r\\n"
            after = self.rng.choice(("0", "0.05", "0.11", "0.4"))
            text = f"PREGREET {len(greeting) - 2} after {after} from [{client.ip}]:{port}: {greeting}"
            self.say(at + 90_000, "postscreen", screen, text)
        else:
            self.list_lines(at, client, port)
        end = at + self.world.span(6.2, 12)
        if fate != "pregreet" or self.world.chance(0.6):
            text = self.hangup_text(client, port, self.rng.uniform(0.1, 5))
            self.say(end, "postscreen", screen, text)
        self.say(end + 40, "postscreen", screen, f"DISCONNECT [{client.ip}]:{port}")
        if fate == "pregreet":
            self.attempt(at + 90_000, client, "", [], "connect", PROTOCOL_TEST)
        else:
            self.attempt(at + 6 * SECOND, client, "", [], "connect", DNSBL)

    def screen_later(self, at: int, client: Client, sender: str, victims: list[str]) -> None:
        """postscreen's deep tests defer a new client; this one does not come back."""
        if not self.has_postscreen:
            self.greylist(at, client, sender, victims)
            return
        port = self.rng.randrange(1024, 65000)
        screen = self.own_pids["postscreen"]
        self.say(at, "postscreen", screen, self.connect_text(client, port))
        said = at + self.world.span(6.1, 7)
        for place, victim in enumerate(victims):
            self.say(
                said + place * 80_000,
                "postscreen",
                screen,
                f"NOQUEUE: reject: RCPT from [{client.ip}]:{port}: 450 4.3.2 Service currently unavailable;"
                f" from=<{sender}>, to=<{victim}>, proto=ESMTP, helo=<{client.helo}>",
            )
        end = said + SECOND
        self.say(end, "postscreen", screen, f"PASS NEW [{client.ip}]:{port}")
        self.say(end + 50, "postscreen", screen, f"DISCONNECT [{client.ip}]:{port}")
        self.attempt(said, client, sender, victims, "envelope", PROTOCOL_TEST, is_temporary=True)

    def greylist(
        self, at: int, client: Client, sender: str, recipients: list[str], is_spam: bool = True
    ) -> None:
        said = "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, please try again in 300 seconds"
        self.refuse(at, client, sender, recipients, said, GREYLIST, is_spam=is_spam)

    # --- what is no message ---------------------------------------------------------------------------

    def noise(self, at: int) -> None:
        """Lines of a busy server that count for nothing."""
        kind = self.rng.choices(list(NOISE), list(NOISE.values()))[0]
        client = self.bot()
        if kind == "hangup" and self.has_postscreen:
            port = self.rng.randrange(1024, 65000)
            screen = self.own_pids["postscreen"]
            self.say(at, "postscreen", screen, self.connect_text(client, port))
            text = self.hangup_text(client, port, self.rng.uniform(0.1, 0.9), "before")
            self.say(at + 400_000, "postscreen", screen, text)
            self.say(at + 400_010, "postscreen", screen, f"DISCONNECT [{client.ip}]:{port}")
        elif kind in ("hangup", "lost"):
            pid = self.pid("smtpd", at, 3)
            who = f"{client.name}[{client.ip}]"
            self.say(at, "smtpd", pid, f"connect from {who}")
            self.say(
                at + SECOND,
                "smtpd",
                pid,
                f"lost connection after {self.rng.choice(('CONNECT', 'EHLO', 'AUTH'))} from {who}",
            )
            self.say(at + SECOND + 90, "smtpd", pid, f"disconnect from {who} ehlo=1 auth=0/1 commands=1/2")
        elif kind == "login":
            pid = self.pid("smtpd", at, 4)
            who = f"{client.name}[{client.ip}]"
            daemon = "submission/smtpd"
            self.say(at, daemon, pid, f"connect from {who}")
            self.say(
                at + SECOND, daemon, pid, f"warning: {who}: SASL LOGIN authentication failed: UGFzc3dvcmQ6"
            )
            self.say(
                at + 2 * SECOND, daemon, pid, f"disconnect from {who} ehlo=1 auth=0/1 quit=1 commands=2/3"
            )
        elif kind == "imap":
            user = self.rng.choice(self.users)
            self.log.add(
                at,
                f"{self.host} dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={client.ip},"
                f" lip={self.profile.server_ip}, mpid={self.rng.randrange(9000, 30000)}, TLS,"
                f" session=<{self.rng.getrandbits(80):020x}>",
            )
        elif kind == "spamd":
            self.log.add(
                at, f"{self.host} spamd[1090]: prefork: child states: {self.rng.choice(('II', 'IB', 'BB'))}"
            )
        else:
            anvil = self.own_pids["anvil"]
            rate = self.rng.randint(2, 30)
            when = self.log.day_time(at - 3 * MINUTE)
            text = f"statistics: max connection rate {rate}/60s for (smtp:{client.ip}) at {when}"
            self.say(at, "anvil", anvil, text)
            self.say(at + 10, "anvil", anvil, f"statistics: max cache size {rate % 9 + 1} at {when}")
