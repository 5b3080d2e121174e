"""Mail of three operators with its campaigns, to measure how well campaigns of mail are found.

The same kinds of mail come to each; what their logs tell differs: the hashes of a filter with a fuzzy
storage, subjects alone, or no more than envelopes. A campaign is what one hand sent in one wording:

- spam from many hosts under forged names, in one to as many variants as copies, with names and numbers in its
  subjects; the storage learns some of it, in the middle of it, and misses copies afterwards;
- newsletters of one sender, the same to all or with a name in each, from bounce addresses of their own;
- notices of shops, every one of its own digest, two shops in the same words: two campaigns;
- letters of people, each a campaign of its own, and threads that share a subject.
"""

import datetime as dt
import random
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.settings import config
from jobs.base.tables.contracts import conform_frame, polars_schema, read_contract, reference_table
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.formats import LINES, Source, exim
from jobs.operators.formats.rspamd import FORMAT as rspamd
from jobs.operators.protect import pseudonyms
from jobs.operators.protect.operators import Protection
from jobs.operators.silver.frames import MESSAGE
from jobs.operators.silver.pipeline import make_messages_in_memory
from sample_data.generator.texts import FIRST_NAMES, WORDS
from tests.support.campaign_truth import members_of
from tests.support.gold_tables import count_table

BEGIN = dt.datetime(2026, 11, 24, 1, tzinfo=dt.UTC)
# Operators by what their logs tell.
TELLS = ("hashes", "subjects", "envelopes")
LINES_OF_A_MAIL = 3
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LETTERS, THREADS = 300, 25
NOTICES = ("Your order {n} has been sent", "Your order {n} has been sent", "We have received payment {n}")


@dataclass(frozen=True)
class Mail:
    """One mail to one recipient.

    Attributes:
        fuzzy: what the storage knows it by.
        second: of the day's mail.
    """

    campaign: str
    sender: str
    client_ip: str
    subject: str
    size: int
    digest: str
    fuzzy: str = ""
    second: int = 0


def base62(number: int) -> str:
    digits = []
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


def queue_id(number: int, at: dt.datetime) -> str:
    return f"{base62(int(at.timestamp()))}-{base62(number)}-00"


def exim_lines(number: int, at: dt.datetime, mail: Mail, domain: str, has_subject: bool) -> list[str]:
    """Return Exim's log of a mail to one recipient, with `log_selector = +subject` or without."""
    name = queue_id(number, at)
    subject = f' T="{mail.subject}"' if has_subject else ""
    return [
        f"{at:%F %T} {name} <= {mail.sender} H=(h) [{mail.client_ip}] P=esmtp S={mail.size}"
        f" id=m{number}@shop.example{subject} for ann{number}@{domain}",
        f"{at:%F %T} {name} => ann{number} <ann{number}@{domain}> R=local T=mailbox",
        f"{at:%F %T} {name} Completed",
    ]


def rspamd_line(number: int, at: dt.datetime, mail: Mail, domain: str, symbols: str) -> str:
    """Return Rspamd's log of a mail to one recipient."""
    return (
        f"{at:%F %T} #45(normal) <a1b2c3>; task; rspamd_task_write_log: id: <m{number}@shop.example>,"
        f" qid: <{queue_id(number, at)}>, ip: {mail.client_ip}, from: <{mail.sender}>, (default: F (no"
        f" action): [1.50/15.00] [{symbols}]), len: 812, time: 7.125ms, dns req: 1, digest:"
        f" <{mail.digest}>, rcpts: <ann{number}@{domain}>"
    )


class Day:
    """The mail of one operator's day."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.sent: list[Mail] = []

    def hexadecimal(self, digits: int) -> str:
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def words(self, count: int) -> str:
        return " ".join(self.rng.sample(WORDS, count))

    def filled(self, wording: str) -> str:
        return wording.format(n=self.rng.randrange(10**6), name=self.rng.choice(FIRST_NAMES).title())

    def about(self, size: int) -> int:
        return round(size * self.rng.uniform(0.98, 1.02))

    def host(self) -> str:
        return f"198.{self.rng.randrange(18, 20)}.{self.rng.randrange(256)}.{self.rng.randrange(256)}"

    def spam(self, name: str) -> None:
        copies = round(min(max(self.rng.lognormvariate(4.2, 0.9), 6), 500))
        wordings = [
            f"{{name}}, {self.words(3)} {{n}}" if self.rng.random() < 0.3 else f"{self.words(4)} {{n}}"
            for _ in range(self.rng.choice((1, 1, 2, 3)))
        ]
        variants = min(self.rng.choice((1, 3, 8, copies)), copies)
        digests = [self.hexadecimal(32) for _ in range(variants)]
        learned = self.rng.random() * 0.3 if self.rng.random() < 0.6 else 2.0
        fuzzy, size = self.hexadecimal(10), self.rng.randrange(2_000, 60_000)
        for copy in range(copies):
            is_known = copy / copies >= learned and self.rng.random() < 0.95
            sender = (
                f"{self.rng.choice(FIRST_NAMES)}@{self.rng.choice(WORDS)}{self.rng.randrange(99)}.example"
            )
            subject = self.filled(self.rng.choice(wordings))
            digest, known = self.rng.choice(digests), fuzzy if is_known else ""
            self.sent.append(Mail(name, sender, self.host(), subject, self.about(size), digest, known))

    def newsletter(self, name: str) -> None:
        wording, one = self.words(4), self.hexadecimal(32)
        wording = f"{{name}}, {wording}" if self.rng.random() < 0.3 else wording
        is_same, size, ip = self.rng.random() < 0.5, self.rng.randrange(20_000, 90_000), self.host()
        for copy in range(self.rng.randrange(30, 200)):
            sender = f"news+{copy}@{name}.example"
            digest = one if is_same else self.hexadecimal(32)
            self.sent.append(Mail(name, sender, ip, self.filled(wording), self.about(size), digest))

    def notices(self, name: str, wording: str) -> None:
        size, ip = self.rng.randrange(4_000, 9_000), self.host()
        for _ in range(self.rng.randrange(20, 60)):
            sender, digest = f"orders@{name}.example", self.hexadecimal(32)
            self.sent.append(Mail(name, sender, ip, self.filled(wording), self.about(size), digest))

    def letter(self, name: str, subject: str) -> None:
        sender = f"{self.rng.choice(FIRST_NAMES)}{self.rng.randrange(99)}@{self.rng.choice(WORDS)}.example"
        size = self.rng.randrange(1_000, 30_000)
        self.sent.append(Mail(name, sender, self.host(), subject, size, self.hexadecimal(32)))


def mails(seed: int, tells: str) -> list[Mail]:
    """An operator's mail of a day, in any order: nothing depends on it."""
    day = Day(random.Random(f"{seed} {tells}"))
    for number in range(8):
        day.spam(f"spam{number}")
    for number in range(5):
        day.newsletter(f"news{number}")
    for number, wording in enumerate(NOTICES):
        day.notices(f"shop{number}", wording)
    for number in range(LETTERS):
        day.letter(f"letter{number}", day.words(3))
    for number in range(THREADS):
        subject = day.words(3)
        for answer in range(day.rng.randrange(2, 7)):
            day.letter(f"thread{number}-{answer}", f"{'Re: ' * (answer > 0)}{subject}")
    day.rng.shuffle(day.sent)
    return day.sent


def settings_of(operators: list[str], root: str) -> config.Observatory:
    about = {"country": "CHE", "holding": "h", "currency": "CHF"}
    return config.Observatory.model_validate(
        {
            "lake": {"root": root},
            "operator": [
                {"id": each, "name": each, "domains": [f"{each}.example"], **about} for each in operators
            ],
        }
    )


def read(lines: list[str], operator: str, kernel: Any, name: str) -> pl.LazyFrame:
    """Bronze rows of an operator's log."""
    source = Source(operator, name, name, BEGIN + dt.timedelta(days=1))
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    placed = kernel.parse(frame, source).filter(pl.col("line_code") == "record")
    bronze: pl.LazyFrame = kernel.assemble(
        placed.with_columns(operator_id=pl.lit(operator), source_id=pl.lit(name), stream_id=pl.lit(name))
    )
    return bronze


def traffic(seeds: tuple[int, ...]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """silver.message of the seeds' mail, through the kernels of both logs; and operator_id, number and
    campaign of each mail. An operator is a seed and what its logs tell."""
    names = [f"{tells}-{seed}" for tells in TELLS for seed in seeds]
    protection = Protection.read_operators(read_reference(settings_of(names, ""), "ref.operator"))
    sent, said, truth = [], [], []
    for operator in names:
        tells, _, seed = operator.partition("-")
        server, spoken = [], []
        for number, mail in enumerate(mails(int(seed), tells)):
            at, domain = BEGIN + dt.timedelta(seconds=20 * number), f"{operator}.example"
            server += exim_lines(number, at, mail, domain, tells == "subjects")
            truth.append((operator, number, mail.campaign))
            if tells == "hashes":
                symbols = (
                    f"FUZZY_DENIED(9.00){{1:{mail.fuzzy}:0.95:txt;}}" if mail.fuzzy else "R_NA(0.00){x;}"
                )
                spoken.append(rspamd_line(number, at, mail, domain, symbols))
        sent.append(exim.transmissions(read(server, operator, exim, "mta")).collect())
        if spoken:
            said.append(rspamd.verdicts(read(spoken, operator, rspamd, "filter")).collect())
    frames = {}
    for table, hashed, rows in [
        (
            "silver.transmission",
            "transmission_hash",
            pseudonyms.pseudonymise_transmissions(pl.concat(sent), protection),
        ),
        ("silver.verdict", "verdict_hash", pseudonyms.pseudonymise_verdicts(pl.concat(said), protection)),
    ]:
        named = rows.with_columns(pl.col("offset").cast(pl.String).alias(hashed))
        frames[table] = conform_frame(named.select(read_contract(table).columns), table)
    knowledge = pl.DataFrame(schema=polars_schema("silver.operator_knowledge"))
    sent, said = frames["silver.transmission"], frames["silver.verdict"]
    made = make_messages_in_memory(sent, said, knowledge).table_rows(MESSAGE)
    columns = ["operator_id", "number", "campaign"]
    return made, pl.DataFrame(truth, schema=columns, orient="row")


def found(seeds: tuple[int, ...]) -> pl.DataFrame:
    """Each mail with its campaign, true and found (null: in none), its seed and what its logs tell."""
    made, truth = traffic(seeds)
    member = members_of(count_table("gold.campaign_daily", made, reference_table("ref.campaign_parameter")))
    # A mail has so many lines in the server's log; its message is at one of them.
    number = (pl.col("offset") // LINES_OF_A_MAIL).cast(pl.Int64).alias("number")
    rows = made.select("operator_id", number, "signature_hash").join(
        member, on=["operator_id", "signature_hash"], how="left"
    )
    told = pl.col("operator_id").str.split_exact("-", 1).struct
    return truth.join(rows, on=["operator_id", "number"], how="left").with_columns(
        tells=told.field("field_0"), seed=told.field("field_1").cast(pl.Int64)
    )
