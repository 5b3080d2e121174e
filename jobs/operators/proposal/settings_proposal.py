"""Propose settings from an operator's logs: sources by format, own domains, networks and numbers, country.

Own domains are those that jobs/operators/proposal/domains.py finds. Loopback and private addresses are own
networks. The country is that of most own domains or of most numbers, else that of this machine's time zone.
Every proposal states its evidence, so that a person can judge it.
"""

import re
import time
from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from jobs.base.core.numbers import format_part
from jobs.base.core.time_zones import this_machines_zone, zones_by_country
from jobs.base.tables.contracts import reference_rows
from jobs.operators.formats import Options
from jobs.operators.formats.registry import KERNELS, REQUESTS
from jobs.operators.proposal.domains import Domains, find_domains
from jobs.operators.protect.location import country_of_numbers
from jobs.operators.silver.pipeline import count_once
from jobs.operators.sniff.files import FileProblem, Log, logs_of
from jobs.operators.sniff.log_clocks import IdTimes, clocks_of, times_of
from jobs.operators.sniff.proposal import source_id
from jobs.operators.sniff.recognition import Recognised, separate_logs
from jobs.operators.sniff.silver import NETWORKS
from jobs.operators.sniff.survey import LogSurvey, survey_log
from jobs.operators.sniff.tally import Tally

# Bytes that are read of each log, and seconds for all logs together.
SAMPLE_BYTES = 8 << 20
SAMPLE_S = 4.0
# The country if neither the logs nor this machine name one.
ANY_COUNTRY = "USA"


@dataclass
class FoundSource:
    """A source that the logs propose.

    Attributes:
        zone_by: the evidence for its time zone; None without any.
        is_by_ids: its stamps carry no offset, but ids beside them hold UTC.
        clock_offset: seconds by which its host's clock was ahead.
        clock_by: the evidence for it.
        assumed: masked lines, decoded with the source's options, if these are a guess.
    """

    id: str
    url: str
    format: str
    options: Options
    time_zone: str
    zone_by: str | None
    bytes: int
    files: int
    is_by_ids: bool = False
    clock_offset: int = 0
    clock_by: str = ""
    assumed: list[str] = field(default_factory=list)


@dataclass
class Proposal:
    """The settings that logs propose.

    Attributes:
        domains: of recipients, own ones and others.
        is_sampled: only a part of the logs was read.
        links: links to other operators in logs of SMS and calls, each with its number of records.
        country_by: the evidence for the country; None if the country is a placeholder.
    """

    sources: list[FoundSource] = field(default_factory=list)
    domains: Domains = field(default_factory=Domains)
    networks: tuple[str, ...] = NETWORKS
    number_prefixes: list[str] = field(default_factory=list)
    links: dict[str, int] = field(default_factory=dict)
    country: str = ANY_COUNTRY
    country_by: str | None = None
    is_sampled: bool = False
    has_mail: bool = False
    has_numbers: bool = False
    unknown: list[tuple[Log, list[Recognised]]] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)
    times: list[IdTimes] = field(default_factory=list)

    @property
    def currency(self) -> str:
        return country_row(self.country)["currency"] or "USD"


def propose_from_logs(arguments: list[str]) -> Proposal:
    """The settings that these logs propose.

    Args:
        arguments: files, folders or wildcards, as of `sniff`.
    """
    found = Proposal()
    logs, problems = logs_of(arguments, time.monotonic() + SAMPLE_S)
    found.problems += problems
    pipes = [log for log in logs if log.url == "-" or any(file.content is not None for file in log.files)]
    found.problems += [FileProblem(log.name, "a pipe can be read only once. Name files") for log in pipes]
    known, wrong = separate_logs([log for log in logs if log not in pipes])
    found.problems += wrong
    numbers: list[pl.Series] = []
    end = time.monotonic() + SAMPLE_S
    for place, (log, recognised) in enumerate(known):
        if recognised[0].format is None:
            found.unknown.append((log, recognised))
            continue
        left = max(end - time.monotonic(), 0.2) / (len(known) - place)
        add_answer(found, sample_log(log, recognised, time.monotonic() + left), numbers)
    conclude_proposal(found, numbers)
    set_clocks(found)
    return found


def add_known(proposal: Proposal, log: Log, recognised: list[Recognised]) -> None:
    """Add a log whose format a person named."""
    proposal.unknown = [each for each in proposal.unknown if each[0] is not log]
    numbers: list[pl.Series] = []
    add_answer(proposal, sample_log(log, recognised, time.monotonic() + 1.0), numbers)
    if proposal.country_by is None:
        conclude_proposal(proposal, numbers)


def sample_log(log: Log, recognised: list[Recognised], until: float) -> LogSurvey:
    """The answer of a sample of the log, without totals."""
    found = survey_log(log, recognised, until, has_totals=False)
    answer = next(found)
    for answer in found:
        if sum(each.read for each in answer.progress) >= SAMPLE_BYTES:
            break
    return answer


def add_answer(proposal: Proposal, answer: LogSurvey, numbers: list[pl.Series]) -> None:
    """Add the source, domains, links and numbers of one log."""
    assert answer.format is not None
    zone = answer.zone
    is_sure = zone is None or answer.documents is not None or zone.is_explicit or zone.by == "ids"
    proposal.sources.append(
        FoundSource(
            id=unique_id(source_id(answer.log.url), {each.id for each in proposal.sources}),
            url=answer.log.url,
            format=answer.format,
            options=answer.options,
            time_zone=(zone.name if zone else None) or "UTC",
            zone_by=zone.evidence if zone and is_sure else None if zone else "reports carry their own",
            bytes=sum(each.file.size or 0 for each in answer.recognised),
            files=len(answer.recognised),
            is_by_ids=zone is not None and zone.by == "ids",
            assumed=answer.recognised[0].assumed,
        )
    )
    proposal.problems += answer.problems
    proposal.is_sampled |= not answer.is_exact
    if times := times_of(answer, proposal.sources[-1].id):
        proposal.times.append(times)
    if answer.tally is not None:
        add_rows(proposal, answer.tally, numbers)


def add_rows(proposal: Proposal, tally: Tally, numbers: list[pl.Series]) -> None:
    """Add domains, links and numbers of the rows that were read."""
    for name, rows in count_once(tally.bronze_rows())[0].items():
        kernel = KERNELS[name]
        if kernel.transmissions is None:
            continue
        bronze = kernel.assemble(rows.lazy()).collect()
        sent = kernel.transmissions(bronze.lazy()).collect()
        is_mail = pl.col("channel_code") == "EMAIL"
        mails, others = sent.filter(is_mail), sent.filter(~is_mail)
        proposal.has_mail |= mails.height > 0
        proposal.domains.add_domains(find_domains(mails))
        if others.height:
            proposal.has_numbers = True
            numbers.append(pl.concat([others["sender"], others["recipient"]]).drop_nulls())
            for column in ("inbound_link", "outbound_link"):
                for link, count in others[column].drop_nulls().value_counts().iter_rows():
                    proposal.links[link] = proposal.links.get(link, 0) + count


def set_clocks(proposal: Proposal) -> None:
    """Set time zones and clock offsets, as far as ids that several logs share reveal them."""
    iso2 = country_row(proposal.country)["iso2"] if proposal.country_by else None
    likely = [zone for zone, country in zones_by_country() if country == iso2]
    sources = {each.id: each for each in proposal.sources}
    for clock in clocks_of(proposal.times, likely):
        source = sources[clock.name]
        if clock.time_zone:
            source.time_zone, source.zone_by = clock.time_zone, clock.evidence
        elif clock.clock_offset is not None:
            source.clock_offset, source.clock_by = clock.clock_offset, clock.evidence
        elif clock.is_wrong:
            problem = f"its times jump, {clock.evidence}: no one setting mends that"
            proposal.problems.append(FileProblem(source.url, problem))
        elif clock.is_sure:
            source.zone_by = source.zone_by or clock.evidence


def unique_id(name: str, taken: set[str]) -> str:
    """The name, with a number after it if it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def conclude_proposal(proposal: Proposal, numbers: list[pl.Series]) -> None:
    """Complete the proposal: time zones of neighbouring logs, the country, and own numbers."""
    for each in proposal.sources:
        # A filter beside its mail server has the same clock.
        beside = next((other for other in proposal.sources if is_beside(each, other)), None)
        if beside is not None:
            each.time_zone, each.zone_by = beside.time_zone, f"as in {beside.id}"
    formats = {each.format for each in proposal.sources}
    for each in proposal.sources:
        requests = REQUESTS.get(each.format)
        if requests and requests.format not in formats:
            # No other log has the messages that came of its requests.
            each.options = {**each.options, requests.option: False}
    proposal.links = dict(sorted(proposal.links.items(), key=lambda pair: (-pair[1], pair[0])))
    by_number = (
        Counter(country_of_numbers(pl.concat(numbers).unique()).drop_nulls().to_list()) if numbers else None
    )
    if by_number:
        country, count = by_number.most_common(1)[0]
        share = format_part(count, by_number.total(), 0)
        proposal.country, proposal.country_by = country, f"the country of {share} of the numbers"
    elif ending := country_of_domains(proposal.domains.own):
        proposal.country, proposal.country_by = ending
    elif place := country_of_zone(this_machines_zone()):
        proposal.country, proposal.country_by = place, "the country of this machine's time zone"
    if proposal.has_numbers:
        code = country_row(proposal.country)["e164_codes"].split()
        proposal.number_prefixes = [f"+{each}" for each in re.findall(r"\d+", " ".join(code))[:1]]


def is_beside(one: FoundSource, other: FoundSource) -> bool:
    """Return whether a source without a time zone takes that of the other: a log in the same folder whose ids
    hold UTC."""
    same_folder = one.url.rpartition("/")[0] == other.url.rpartition("/")[0]
    return one.zone_by is None and other.is_by_ids and same_folder


def country_of_domains(domains: dict[str, int]) -> tuple[str, str] | None:
    """The country with most recipients by its top-level domain, and the evidence; None without any."""
    counts: Counter[str] = Counter()
    for domain, count in domains.items():
        ending = domain.rsplit(".", 1)[-1]
        if len(ending) == 2:
            counts["gb" if ending == "uk" else ending] += count
    for ending, _ in counts.most_common():
        row = next((row for row in reference_rows("country") if row["iso2"].lower() == ending), None)
        if row is not None:
            return row["iso3"], f"the ending .{'uk' if ending == 'gb' else ending} of own domains"
    return None


def country_of_zone(zone: str | None) -> str | None:
    """The country of a time zone, by the table of the time zone database."""
    if zone is None or "/" not in zone:
        return None
    iso2 = dict(zones_by_country()).get(zone)
    return next((row["iso3"] for row in reference_rows("country") if row["iso2"] == iso2), None)


def country_row(iso3: str) -> dict[str, str]:
    return next(row for row in reference_rows("country") if row["iso3"] == iso3)
