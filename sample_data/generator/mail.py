"""The queue of a mail server: what happens to a message from its acceptance to its end.

sessions.py holds what comes before: who connects, what is refused.
"""

import datetime as dt

from sample_data.generator import rspamd
from sample_data.generator.deliveries import (
    SENT,
    TLS_SERVER,
    Client,
    Partner,
    Plan,
    QueueFile,
    Task,
    amount,
    local_reply,
    remote_plan,
    remote_reply,
)
from sample_data.generator.logfile import LogFile
from sample_data.generator.profiles import MailOperator
from sample_data.generator.queueids import Pids, QueueIds
from sample_data.generator.texts import CHECKED_SUBJECTS, FIRST_NAMES, LAST_NAMES, WORDS
from sample_data.generator.truth import Measure, Message, Recipient, Truth
from sample_data.generator.world import MINUTE, SECOND, World, address_in

CONTENT_FILTER = Measure("CONTENT_FILTER", True)
GREYLIST = Measure("GREYLIST", True)


class MailServer:
    """One mail server: Postfix, Rspamd as its milter, and for some operators a content filter."""

    def __init__(
        self, profile: MailOperator, world: World, log: LogFile, filter_log: LogFile, truth: Truth
    ) -> None:
        self.profile = profile
        self.world = world
        self.rng = world.rng
        self.log = log
        self.filter_log = filter_log
        self.truth = truth
        self.host = profile.host
        self.name = f"{profile.host}.{profile.domains[0]}"
        self.lmtp_host = self.name if profile.has_content_filter else None
        self.ids = QueueIds(self.rng, is_long=profile.has_long_ids)
        self.verdicts = rspamd.Shelf(self.rng, 60)
        self.pids = {
            name: Pids(self.rng, 1200 + 700 * place)
            for place, name in enumerate(("smtpd", "cleanup", "smtp", "local", "bounce", "amavis", "dnsblog"))
        }
        self.qmgr = 1100
        self.own_pids = {"postscreen": 1150, "anvil": 1160, "rspamd": 910, "reinject": 1180}
        names = [
            f"{FIRST_NAMES[i % 26]}.{LAST_NAMES[i // 26 % 26]}{i // 676 or ''}" for i in range(profile.users)
        ]
        self.users = [f"{name}@{profile.domains[i % len(profile.domains)]}" for i, name in enumerate(names)]
        self.aliases = {
            f"{name}@{profile.domains[0]}": [
                self.users[(7 * place + step) % len(self.users)] for step in range(copies)
            ]
            for place, (name, copies) in enumerate((("info", 1), ("sales", 2), ("team", 3), ("support", 1)))
        }
        countries = profile.ham_countries
        self.partners = []
        for place in range(48):
            country = self.rng.choices(list(countries), list(countries.values()))[0]
            domain = f"{WORDS[place % 24]}{place // 24 or ''}.{'test' if place % 5 == 0 else 'example'}"
            fate = (
                "dead"
                if place == 47
                else "unknown"
                if place == 46
                else "greylists"
                if place % 9 == 4
                else "good"
            )
            ip = address_in(self.rng, country, profile.ipv6_share)
            self.partners.append(Partner(domain, f"mx.{domain}", ip, fate))
        self.partner_weights = [1 / (1 + place) ** 0.7 for place in range(46)] + [0.2, 0.1]
        self.by_domain = {partner.domain: partner for partner in self.partners}

    def say(self, at: int, daemon: str, pid: int, text: str) -> None:
        self.log.add(at, f"{self.host} postfix/{daemon}[{pid}]: {text}")

    def pid(self, name: str, at: int, seconds: float) -> int:
        return self.pids[name].take(at, at + int(seconds * SECOND))

    def message_id(self, at: int, sender: str) -> str:
        domain = sender.rpartition("@")[2] or f"mx.{WORDS[at % 24]}.example"
        return f"{at // 1000:x}.{self.rng.getrandbits(32):08x}@{domain}"

    # --- acceptance -----------------------------------------------------------------------------

    def accept(
        self,
        at: int,
        pid: int,
        client: Client,
        sender: str,
        recipients: list[str],
        direction: str,
        *,
        action: str = "no action",
        spam_type: str = "UNK",
        is_spam: bool = False,
        check: str = "",
    ) -> int:
        """Take a message over SMTP; `check` is reject or discard for what header checks do with it.

        Returns the time at which the client has its answer.
        """
        daemon = "submission/smtpd" if client.user else "smtpd"
        queue_id = self.ids.take(at)
        message = Message(at, "EMAIL", direction, sender, [Recipient(r) for r in recipients], client.ip)
        message.is_spam = is_spam
        message.queue_ids.append(queue_id)
        self.truth.open(message)
        login = f", sasl_method=PLAIN, sasl_username={client.user}" if client.user else ""
        self.say(at, daemon, pid, f"{queue_id}: client={client.name}[{client.ip}]{login}")
        at += self.world.span(0.03, 0.4)
        cleanup = self.pid("cleanup", at, 3)
        message.message_id = self.message_id(at, sender)
        size = int(self.rng.lognormvariate(8.6, 1.1)) + 700
        protocol = "ESMTPSA" if client.user else "ESMTP"
        tail = f"from=<{sender}> to=<{recipients[-1]}> proto={protocol} helo=<{client.helo}>"
        self.say(at, "cleanup", cleanup, f"{queue_id}: message-id=<{message.message_id}>")
        if check:
            header = self.rng.choice(CHECKED_SUBJECTS).format(
                n=self.rng.randrange(900), c=self.rng.choice(WORDS)
            )
            at += 900
            reason = "5.7.1 Message refused by header policy" if check == "reject" else "bulk sender"
            where = f"{header} from {client.name}[{client.ip}]; {tail}: {reason}"
            self.say(at, "cleanup", cleanup, f"{queue_id}: {check}: header {where}")
            removed = "canceled" if check == "reject" else "discarded"
            self.say(at + 150, "cleanup", cleanup, f"{queue_id}: removed ({removed})")
            message.settle("content", "rejected" if check == "reject" else "discarded", CONTENT_FILTER)
            return self.end(at + 150, message, queue_id)
        taken = self.filter_mail(at, client, message, queue_id, recipients, size, action, spam_type)
        at += taken
        if action in ("reject", "soft reject"):
            reply = "5.7.1 Spam message rejected" if action == "reject" else "4.7.1 Try again later"
            where = f"{client.name}[{client.ip}]"
            self.say(
                at,
                "cleanup",
                cleanup,
                f"{queue_id}: milter-reject: END-OF-MESSAGE from {where}: {reply}; {tail}",
            )
            self.say(at + 160, "cleanup", cleanup, f"{queue_id}: removed (canceled)")
            message.is_temporary = action == "soft reject"
            if message.is_temporary:
                message.settle("content", "deferred", GREYLIST)
            else:
                message.settle("content", "rejected", CONTENT_FILTER)
                message.spam_type = spam_type
            return self.end(at + 160, message, queue_id)
        if action in ("add header", "rewrite subject"):
            message.measure = CONTENT_FILTER
            message.spam_type = spam_type
        tasks = [task for recipient in message.recipients for task in self.tasks_of(recipient, message)]
        queue_file = QueueFile(queue_id, message, size, message.at, tasks, client)
        queue_file.open_tasks = tasks
        queue_file.dropped_by_filter = (
            self.profile.has_content_filter and is_spam and action == "no action" and self.world.chance(0.35)
        )
        self.world.later(at + 900, self.activate, queue_file)
        if at + 900 >= self.world.end:
            self.activate(at + 900, queue_file)
        return at

    def end(self, at: int, message: Message, queue_id: str) -> int:
        """The queue file is gone and the message has come to its end."""
        message.last_at = at
        self.ids.free(at, queue_id)
        self.truth.close(message)
        return at

    def filter_mail(
        self,
        at: int,
        client: Client,
        message: Message,
        queue_id: str,
        recipients: list[str],
        size: int,
        action: str,
        spam_type: str,
    ) -> int:
        """Let Rspamd look at it; returns the time that it took."""
        taken = self.world.span(0.02, 1.4)
        filter_ms = f"{taken / 1000 * 0.95:.3f}"
        message.looked_at(size, int(filter_ms.replace(".", "")))
        verdict = self.verdicts.take(action, spam_type, client.user is not None)
        until = f"{dt.datetime.fromtimestamp(at // SECOND + 300, dt.UTC):%a, %d %b %Y %H:%M:%S} GMT"
        line = rspamd.task_line(
            self.rng,
            verdict,
            pid=self.own_pids["rspamd"] + self.rng.randrange(2),
            message_id=message.message_id or "",
            queue_id=queue_id,
            ip=client.ip,
            user=client.user,
            sender=message.sender,
            recipients=recipients,
            size=size,
            filter_ms=filter_ms,
            until=until,
        )
        self.filter_log.add(at + taken - 400, line)
        return taken

    # --- plans ------------------------------------------------------------------------------------

    def tasks_of(self, recipient: Recipient, message: Message) -> list[Task]:
        """Aliases become deliveries to each of their members; the recipient of the truth stays one."""
        address = recipient.address
        if address in self.aliases:
            return [Task(recipient, member, SENT, None) for member in self.aliases[address]]
        partner = self.by_domain.get(address.rpartition("@")[2])
        if partner is None:
            return [Task(recipient, address, self.local_plan(message), None)]
        return [Task(recipient, address, remote_plan(self.rng, partner, message), partner)]

    def local_plan(self, message: Message) -> Plan:
        if message.measure.code or not message.sender or self.world.chance(0.985):
            return SENT
        if self.profile.has_content_filter and self.world.chance(0.6):
            return Plan(self.rng.randrange(1, 5), "sent", "full")
        return Plan(0, "bounced", "full")

    # --- queue manager ------------------------------------------------------------------------------

    def activate(self, at: int, file: QueueFile) -> None:
        """The queue manager takes the file up, for the first time or again."""
        sender = file.message.sender if not file.is_dsn else ""
        self.say(
            at,
            "qmgr",
            self.qmgr,
            f"{file.queue_id}: from=<{sender}>, size={file.size},"
            f" nrcpt={len(file.open_tasks)} (queue active)",
        )
        if (
            self.profile.has_content_filter
            and not file.is_dsn
            and file.tries == 0
            and file.client is not None
        ):
            self.hand_off(at, file)
        else:
            self.deliver(at, file)

    def hand_off(self, at: int, file: QueueFile) -> None:
        """Give the file to the content filter, which brings it back under a new queue id, or drops it."""
        taken = self.world.span(0.15, 1.6)
        done = at + taken
        smtp = self.pid("smtp", at, taken / SECOND + 0.1)
        amavis = self.pid("amavis", at, taken / SECOND)
        client = file.client
        assert client is not None
        task_id = f"{amavis:05d}-{1 + file.size % 19:02d}"
        message = file.message
        message.looked_at(file.size, taken // 1000 * 1000)
        listed = ",".join(f"<{task.address}>" for task in file.open_tasks)
        bound = "Inbound" if message.direction == "inbound" else "Outbound"
        if file.dropped_by_filter:
            reply = f"250 2.7.0 Ok, discarded, id={task_id} - spam"
            fate = f"Blocked SPAM {{Discarded{bound}}}"
            new_id = ""
        else:
            new_id = self.ids.take(done - 30_000)
            reply = f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {new_id}"
            fate = f"Passed CLEAN {{Relayed{bound}}}"
        waited, whole = amount((at - file.arrived) / SECOND), amount((done - file.arrived) / SECOND)
        delays = f"delay={whole}, delays={waited}/0.01/0/{amount(taken / SECOND)}"
        dsn = "2.7.0" if file.dropped_by_filter else "2.0.0"
        for place, task in enumerate(file.open_tasks):
            origin = f"orig_to=<{task.recipient.address}>, " if task.address != task.recipient.address else ""
            self.say(
                done + 40 * place,
                "smtp",
                smtp,
                f"{file.queue_id}: to=<{task.address}>, {origin}relay=127.0.0.1[127.0.0.1]:10024, {delays},"
                f" dsn={dsn}, status=sent ({reply})",
            )
        queued = f", queued_as: {new_id}" if new_id else ""
        self.log.add(
            done - 2_000,
            f"{self.host} amavis[{amavis}]: ({task_id}) {fate},"
            f" [{client.ip}]:{40000 + file.size % 20000} [{client.ip}]"
            f" <{message.sender}> -> {listed}, Queue-ID: {file.queue_id}, Message-ID: <{message.message_id}>,"
            f" mail_id: {self.rng.getrandbits(60):015x}, Hits: {self.rng.uniform(-1, 9):.3f},"
            f" size: {file.size}{queued},"
            f" {taken // 1000} ms",
        )
        removed = done + 40 * len(file.open_tasks) + 300
        self.say(removed, "qmgr", self.qmgr, f"{file.queue_id}: removed")
        if file.dropped_by_filter:
            message.settle("content", "discarded", CONTENT_FILTER)
            self.end(removed, message, file.queue_id)
            return
        self.ids.free(removed, file.queue_id)
        back = self.own_pids["reinject"]
        self.say(
            done - 30_000,
            "reinject/smtpd",
            back,
            f"{new_id}: client=localhost[127.0.0.1], orig_queue_id={file.queue_id},"
            f" orig_client={client.name}[{client.ip}]",
        )
        cleanup = self.pid("cleanup", at, taken / SECOND)
        self.say(done - 22_000, "cleanup", cleanup, f"{new_id}: message-id=<{message.message_id}>")
        message.queue_ids.append(new_id)
        file.queue_id = new_id
        file.arrived = done - 30_000
        file.client = None
        file.size += 480
        for task in file.open_tasks:
            if task.address != task.recipient.address:
                task.recipient = Recipient(task.address, outcome="delivered")
        self.settle_aliases(file)
        self.activate(done - 9_000, file)

    def settle_aliases(self, file: QueueFile) -> None:
        """Members of an alias are recipients of their own for the second queue file; all are delivered."""
        for recipient in file.message.recipients:
            if recipient.address in self.aliases:
                self.settle(file, recipient, "delivered")

    def settle(self, file: QueueFile, recipient: Recipient, outcome: str) -> None:
        is_tagged = outcome == "delivered" and file.message.measure.code == "CONTENT_FILTER"
        recipient.outcome = "tagged" if is_tagged else outcome
        recipient.stage = "content" if is_tagged else "delivery"

    def deliver(self, at: int, file: QueueFile) -> None:
        """Try each open recipient once."""
        file.tries += 1
        left: list[Task] = []
        bounced = False
        last = at
        for task in file.open_tasks:
            remote = task.partner is not None
            taken = self.world.span(0.2, 3.0) if remote else self.world.span(0.002, 0.05)
            if task.plan.reason == "timeout" and task.tries < task.plan.deferrals:
                taken = 30 * SECOND
            done = at + taken
            last = max(last, done)
            status = self.delivery_line(at, done, file, task)
            if status == "deferred":
                left.append(task)
            bounced = bounced or status == "bounced"
        file.open_tasks = left
        end = last + 400
        if bounced and not file.is_dsn:
            self.notify(end, file)
        if not left:
            self.say(end + 900, "qmgr", self.qmgr, f"{file.queue_id}: removed")
            self.end(end + 900, file.message, file.queue_id)
            return
        if end - file.arrived > self.profile.queue_lifetime_hours * 60 * MINUTE:
            sender = file.message.sender
            self.say(
                end + 200,
                "qmgr",
                self.qmgr,
                f"{file.queue_id}: from=<{sender}>, status=expired, returned to sender",
            )
            for task in left:
                self.settle(file, task.recipient, "expired")
            self.notify(end + 300, file)
            self.say(end + 1900, "qmgr", self.qmgr, f"{file.queue_id}: removed")
            self.end(end + 1900, file.message, file.queue_id)
            return
        again = end + min(300 * 2 ** (file.tries - 1), 4000) * SECOND + self.world.span(0, 90)
        if again < self.world.end:
            self.world.later(again, self.activate, file)
        else:
            file.message.last_at = end
            self.truth.close(file.message)

    def delivery_line(self, at: int, done: int, file: QueueFile, task: Task) -> str:
        """Log one try and settle its recipient; returns sent, deferred or bounced."""
        plan, partner = task.plan, task.partner
        status = "deferred" if task.tries < plan.deferrals else plan.final
        task.tries += 1
        took = (done - at) / SECOND
        connect = 1.0 if status == "deferred" and plan.reason == "timeout" else 0.4
        times = (
            f"delay={amount((done - file.arrived) / SECOND)}, "
            f"delays={amount((at - file.arrived) / SECOND)}/0.01"
            f"/{amount(took * connect)}/{amount(took * (1 - connect))}"
        )
        origin = f"orig_to=<{task.recipient.address}>, " if task.address != task.recipient.address else ""
        if partner is None:
            daemon, relay, dsn, text = local_reply(self.rng, status, task.address, self.lmtp_host)
            pid = self.pid("local", at, took)
        else:
            daemon = "smtp"
            relay, dsn, text = remote_reply(self.rng, status, plan, partner, task.address)
            pid = self.pid("smtp", at, took)
            if relay != "none" and self.world.chance(0.6):
                cipher = f"{partner.host}[{partner.ip}]:25: {TLS_SERVER}"
                self.say(at + 1000, "smtp", pid, f"Untrusted TLS connection established to {cipher}")
        self.say(
            done,
            daemon,
            pid,
            f"{file.queue_id}: to=<{task.address}>, {origin}relay={relay}, {times},"
            f" dsn={dsn}, status={status} ({text})",
        )
        task.recipient.outbound_link = relay if partner is not None and relay != "none" else None
        self.settle(file, task.recipient, {"sent": "delivered"}.get(status, status))
        return status

    def notify(self, at: int, file: QueueFile) -> None:
        """Send a non-delivery notification to the sender, as a queue file of its own."""
        sender = file.message.sender
        if not sender:
            return
        queue_id = self.ids.take(at)
        pid = self.pid("bounce", at, 0.1)
        cleanup = self.pid("cleanup", at, 0.1)
        stamp = (
            ""
            if self.profile.has_long_ids
            else f"{dt.datetime.fromtimestamp(at // SECOND, dt.UTC):%Y%m%d%H%M%S}."
        )
        message_id = f"{stamp}{queue_id}@{self.name}"
        self.say(at, "cleanup", cleanup, f"{queue_id}: message-id=<{message_id}>")
        self.say(at + 500, "bounce", pid, f"{file.queue_id}: sender non-delivery notification: {queue_id}")
        is_local = sender.rpartition("@")[2] in self.profile.domains
        notice = Message(at, "EMAIL", "internal" if is_local else "outbound", "", [Recipient(sender)])
        notice.is_own_dsn = True
        notice.message_id = message_id
        notice.queue_ids.append(queue_id)
        partner = self.by_domain.get(sender.rpartition("@")[2])
        if not is_local and partner is None:
            partner = self.partners[at % 40]
        copy = QueueFile(queue_id, self.truth.open(notice), 2400 + file.size % 900, at, [], is_dsn=True)
        copy.tasks = copy.open_tasks = [Task(notice.recipients[0], sender, SENT, partner)]
        self.activate(at + 420, copy)
