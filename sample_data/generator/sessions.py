"""SMTP sessions of a mail operator: spam, legitimate mail, and what its own customers send."""

from sample_data.generator.deliveries import Client
from sample_data.generator.refusals import HELO_RDNS, POLICY_RELAY, RECIPIENT_CHECK, SENDER_VERIFY, Refusals
from sample_data.generator.texts import FIRST_NAMES, LAST_NAMES, WORDS
from sample_data.generator.world import SECOND, address_in

# What becomes of spam that comes in, in parts of a whole; retries come on top.
SPAM_FATES = {
    "dnsbl": 25,
    "dnsbl_hangup": 2,
    "pregreet": 5,
    "unknown_user": 9,
    "relay": 3,
    "no_domain": 3,
    "helo": 3,
    "screened": 2,
    "greylist_gone": 8,
    "greylist_back": 5,
    "reject": 14,
    "soft_gone": 3,
    "soft_back": 2,
    "add header": 10,
    "rewrite subject": 1,
    "missed": 4,
    "check_reject": 1,
    "check_discard": 1,
}


class Sessions(Refusals):
    """A mail server with all that its clients do."""

    def arrive(self, at: int, spam_chance: float) -> None:
        """One session, and sometimes a line of something else."""
        profile, world = self.profile, self.world
        if world.chance(0.18):
            self.noise(at)
        roll = self.rng.random()
        if roll < profile.outbound_share:
            self.outbound(at)
        elif roll < profile.outbound_share + profile.internal_share:
            self.internal(at)
        elif world.chance(spam_chance / (1 - profile.outbound_share - profile.internal_share)):
            self.spam(at)
        else:
            self.ham(at)

    # --- spam -----------------------------------------------------------------------------------------

    def spam(self, at: int) -> None:
        client, sender = self.bot(), self.spammer()
        fate = self.rng.choices(list(SPAM_FATES), list(SPAM_FATES.values()))[0]
        if fate == "dnsbl":
            self.listed(at, client, sender, self.victims(4), self.rng.choices((1, 2, 3), (7, 2, 1))[0])
        elif fate in ("dnsbl_hangup", "pregreet"):
            self.screen_out(at, client, fate)
        elif fate == "unknown_user":
            domain = self.rng.choice(self.profile.domains)
            guesses = [
                f"{self.rng.choice(LAST_NAMES)}{self.rng.randrange(99)}@{domain}"
                for _ in range(self.rng.randint(1, 5))
            ]
            if self.world.chance(0.15):
                guesses.append(guesses[0])
            self.refuse(at, client, sender, guesses, self.unknown_user(), RECIPIENT_CHECK)
        elif fate == "relay":
            target = f"probe{self.rng.randrange(999)}@elsewhere.test"
            said = "554 5.7.1 <{rcpt}>: Relay access denied"
            self.refuse(at, client, sender, [target], said, POLICY_RELAY, "transit")
        elif fate == "no_domain":
            sender = (
                f"{self.rng.choice(FIRST_NAMES)}@{self.rng.choice(WORDS)}-{self.rng.randrange(999)}.invalid"
            )
            said = "450 4.1.8 <{sender}>: Sender address rejected: Domain not found"
            victims = self.victims(3)
            self.refuse(at, client, sender, victims, said, SENDER_VERIFY)
            if self.world.chance(0.3):
                again = at + self.world.span(300, 3600)
                self.world.later(again, self.refuse, client, sender, victims, said, SENDER_VERIFY)
        elif fate == "helo":
            client = client._replace(helo=f"WIN-{self.rng.getrandbits(44):011X}")
            said = "504 5.5.2 <{helo}>: Helo command rejected: need fully-qualified hostname"
            self.refuse(at, client, sender, self.victims(2), said, HELO_RDNS)
        elif fate == "screened":
            self.screen_later(at, client, sender, self.victims(2))
        elif fate == "greylist_gone":
            victims = self.victims(3)
            self.greylist(at, client, sender, victims)
            if self.world.chance(0.3):
                self.world.later(at + self.world.span(20, 250), self.greylist, client, sender, victims)
        elif fate == "greylist_back":
            victims = self.victims(3)
            self.greylist(at, client, sender, victims)
            then = self.rng.choice(("reject", "add header", "no action"))
            later = at + self.world.span(400, 14_000)
            self.world.later(later, self.receive, client, sender, victims, then, self.spam_type(), True)
        else:
            self.filtered_spam(at, client, sender, fate)

    def filtered_spam(self, at: int, client: Client, sender: str, fate: str) -> None:
        victims = self.victims(5)
        spam_type = self.spam_type()
        if fate in ("soft_gone", "soft_back"):
            self.receive(at, client, sender, victims, "soft reject", "UNK", True)
            if fate == "soft_back":
                then = self.rng.choice(("reject", "add header"))
                later = at + self.world.span(360, 9000)
                self.world.later(later, self.receive, client, sender, victims, then, spam_type, True)
        elif fate.startswith("check_"):
            self.receive(
                at, client, sender, victims[:1], "no action", "UNK", True, check=fate.removeprefix("check_")
            )
        elif fate == "missed":
            self.receive(at, client, sender, victims, "no action", "UNK", True)
        else:
            self.receive(at, client, sender, victims, fate, spam_type, True)

    # --- messages -------------------------------------------------------------------------------------

    def receive(
        self,
        at: int,
        client: Client,
        sender: str,
        recipients: list[str],
        action: str = "no action",
        spam_type: str = "UNK",
        is_spam: bool = False,
        check: str = "",
        stray: str = "",
    ) -> None:
        """A message from outside. `stray` is an unknown recipient that is refused in the same session."""
        at, pid = self.greet(at, client)
        if stray:
            said = self.unknown_user().format(rcpt=stray)
            where = f"RCPT from {client.name}[{client.ip}]"
            tail = f"from=<{sender}> to=<{stray}> proto=ESMTP helo=<{client.helo}>"
            self.say(at, "smtpd", pid, f"NOQUEUE: reject: {where}: {said}; {tail}")
            self.attempt(at, client, sender, [stray], "envelope", RECIPIENT_CHECK, is_spam=False)
            at += 20_000
        end = self.accept(
            at, pid, client, sender, recipients, "inbound",
            action=action, spam_type=spam_type, is_spam=is_spam, check=check,
        )  # fmt: skip
        data = "refused" if "reject" in action or check == "reject" else "ok"
        self.leave(end, pid, client, len(recipients), 1 if stray else 0, data)

    def ham(self, at: int) -> None:
        """Legitimate mail from a partner; new senders are greylisted first."""
        partner = self.rng.choices(self.partners, self.partner_weights)[0]
        client = Client(partner.host, partner.ip, partner.host)
        sender = f"{self.rng.choice(FIRST_NAMES)}.{self.rng.choice(LAST_NAMES)}@{partner.domain}"
        recipients = self.victims(4)
        if self.world.chance(0.06):
            recipients = [self.rng.choice(list(self.aliases))]
        roll = self.rng.random()
        stray = ""
        if roll < 0.04:
            sender = ""
            recipients = recipients[:1]
        elif roll < 0.06 and recipients[0] not in self.aliases:
            stray = f"former{self.rng.randrange(99)}@{self.profile.domains[0]}"
        if self.world.chance(0.14):
            self.greylist(at, client, sender, recipients, is_spam=False)
            delay = self.world.span(310, 2400) if self.world.chance(0.8) else self.world.span(2400, 6 * 3600)
            self.world.later(at + delay, self.receive, client, sender, recipients)
        elif self.world.chance(0.02):
            self.receive(at, client, sender, recipients, "soft reject", "UNK")
            self.world.later(at + self.world.span(310, 3600), self.receive, client, sender, recipients)
        elif self.world.chance(0.003):
            self.receive(at, client, sender, recipients, "add header", "UNK")
        else:
            self.receive(at, client, sender, recipients, stray=stray)

    def customer(self) -> tuple[str, Client]:
        """A customer who has logged in, from home or from elsewhere."""
        sender = self.rng.choice(self.users)
        country = self.profile.country if self.world.chance(0.85) else "AUS"
        inside = country == self.profile.country and self.profile.country != "CHE"
        ip = (
            address_in(self.rng, country, 0.1)
            if inside or country == "AUS"
            else address_in(self.rng, "DEU", 0.1)
        )
        return sender, Client(
            "unknown" if self.world.chance(0.5) else "dsl.customer.example", ip, "pc.customer.example", sender
        )

    def submit(
        self, at: int, client: Client, sender: str, recipients: list[str], direction: str, **content: object
    ) -> None:
        daemon = "submission/smtpd"
        at, pid = self.greet(at, client, daemon)
        end = self.accept(at, pid, client, sender, recipients, direction, **content)  # type: ignore[arg-type]
        data = "refused" if content.get("action") == "reject" else "ok"
        self.leave(end, pid, client, len(recipients), 0, data, daemon)

    def outbound(self, at: int) -> None:
        sender, client = self.customer()
        if self.world.chance(0.03):
            self.hijacked(at, sender, client)
            return
        count = 1 if self.world.chance(0.75) else self.rng.randint(2, 5)
        chosen = self.rng.choices(self.partners, self.partner_weights, k=count)
        recipients = list(
            dict.fromkeys(f"{self.rng.choice(FIRST_NAMES)}{n}@{p.domain}" for n, p in enumerate(chosen))
        )
        self.submit(at, client, sender, recipients, "outbound")

    def hijacked(self, at: int, sender: str, client: Client) -> None:
        """A stolen account sends a burst of spam; the filter stops part of it."""
        spam_type = self.spam_type()
        countries = self.profile.spam_countries
        thief = client._replace(name="unknown", ip=address_in(self.rng, self.rng.choice(list(countries)), 0))
        for step in range(self.rng.randint(2, 6)):
            targets = self.rng.sample(self.partners[:40], self.rng.randint(3, 9))
            recipients = [f"{self.rng.choice(LAST_NAMES)}@{partner.domain}" for partner in targets]
            action = "reject" if step > 1 or self.world.chance(0.3) else "no action"
            content = {
                "action": action,
                "spam_type": spam_type if action == "reject" else "UNK",
                "is_spam": True,
            }
            self.world.later(at + step * 25 * SECOND, self.submit_later, thief, sender, recipients, content)

    def submit_later(
        self, at: int, client: Client, sender: str, recipients: list[str], content: dict[str, object]
    ) -> None:
        self.submit(at, client, sender, recipients, "outbound", **content)

    def internal(self, at: int) -> None:
        """Mail between customers: with log-in, or from an office machine in the operator's own network."""
        sender, client = self.customer()
        others = [user for user in self.victims(4) if user != sender] or [self.users[0]]
        if self.world.chance(0.5):
            base = int(self.profile.server_ip.rpartition(".")[2])
            host = base + self.rng.randint(5, 20)
            name = f"ws{host}.{self.profile.domains[0]}"
            own = Client(name, f"{self.profile.office_prefix}{host}", name)
            at, pid = self.greet(at, own)
            end = self.accept(at, pid, own, sender, others, "internal")
            self.leave(end, pid, own, len(others), 0, "ok")
        else:
            self.submit(at, client, sender, others, "internal")
