"""The text of observatory.toml for a proposal: complete, with a comment for each setting."""

import textwrap
from dataclasses import dataclass

from jobs.operators.formats.registry import DOCUMENTS
from jobs.operators.ingest.source_files import is_closed
from jobs.operators.proposal.domains import Domains
from jobs.operators.proposal.settings_proposal import FoundSource, Proposal, country_row
from jobs.operators.sniff.files import is_pattern
from jobs.operators.sniff.proposal import quote_toml

ASSUMED = "assumed: check it"
COMMENT_AT, WIDTH = 28, 80
# How many domains of recipients are named if no own domain is known.
EXAMPLES = range(1, 6)


@dataclass
class Answers:
    """The settings of an operator that a person confirms.

    Attributes:
        is_assumed: nobody confirmed them.
    """

    operator_id: str
    name: str
    country: str
    holding: str
    currency: str
    subscribers: int | None = None
    domains: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    number_prefixes: tuple[str, ...] = ()
    is_assumed: bool = True


def proposed_answers(proposal: Proposal, operator_id: str = "own") -> Answers:
    """The answers that the proposal implies."""
    return Answers(
        operator_id=operator_id,
        name="Own logs" if operator_id == "own" else f"Logs of {operator_id}",
        country=proposal.country,
        holding=operator_id,
        currency=proposal.currency,
        domains=tuple(proposal.domains.own),
        networks=proposal.networks,
        number_prefixes=tuple(proposal.number_prefixes),
    )


def settings_text(proposal: Proposal, answers: Answers, root: str = "lake") -> str:
    """The settings file."""
    assumed = f"; {ASSUMED}" if answers.is_assumed else ""
    country = country_row(answers.country)["name_en"]
    by = f", {proposal.country_by}" if proposal.country_by and answers.is_assumed else ""
    lines = [
        "# Settings of the Spam Observatory, as `observatory init` wrote them from logs.",
        "# Paths are relative to this file. Settings after a # are not in use.",
        "",
        "[lake]",
        add_comment(f"root = {quote_toml(root)}", "where tables lie; made with the first run"),
        add_comment('key_file = "pseudonym.key"', "keep it: another key makes other pseudonyms"),
        add_comment("# open_days = 35", "a day takes late lines for so many days"),
        "",
        "# [engine]",
        add_comment('# memory = "2GB"', "default: half of the machine's"),
        add_comment("# workers = 2", "default: one for each core"),
        "",
        "# Days that `observatory vacuum` keeps; what open days need stays longer.",
        "# [retention]",
        add_comment("# landing = 35", "logs as they came"),
        add_comment("# bronze = 35", "records with addresses and numbers"),
        add_comment("# silver = 400", "pseudonyms; gold stays"),
        "",
        "# Where addresses and numbers are from. Without tables sources stay unlocated.",
        "# [location]",
        add_comment('# ranges = "ranges.mmdb"', "or CSV: prefix,country_code,asn,as_name"),
        add_comment('# name = "its provider"', "stands beside figures that use it"),
        add_comment("# date = 2026-11-01", ""),
        add_comment('# number_ranges = "numbers.csv"', "prefix,mcc_mnc"),
        "",
        "[[operator]]",
        add_comment(f"id = {quote_toml(answers.operator_id)}", f"keep it for good{assumed}"),
        add_comment(f"name = {quote_toml(answers.name)}", ASSUMED if answers.is_assumed else ""),
        add_comment(f"country = {quote_toml(answers.country)}", f"{country}{by}{assumed}"),
        add_comment(f"holding = {quote_toml(answers.holding)}", f"the group that owns it{assumed}"),
        add_comment(f"currency = {quote_toml(answers.currency)}", f"costs are in it{assumed}"),
        add_comment(f"subscribers = {answers.subscribers}", "for rates per 1,000")
        if answers.subscribers
        else add_comment("# subscribers = 1200", "or { EMAIL = 900, SMS = 1200 }; rates need it"),
        *domain_lines(proposal, answers),
        "# Own servers, filters and customers: mail from them is outbound. Add yours.",
        f"# Loopback is own without a setting.{' Private networks are assumed.' if assumed else ''}",
        *format_array("networks", answers.networks),
        *prefix_lines(answers),
        "",
        *link_lines(proposal),
        *(line for source in proposal.sources for line in source_lines(source)),
        "# What countermeasures cost beside the work in the logs; else a lower bound.",
        "# [[operator.fixed_cost]]",
        '# name = "mail filter staff, half a post"',
        add_comment('# countermeasure = "CONTENT_FILTER"', "schemas/codelists/countermeasure.csv"),
        add_comment('# channel = "EMAIL"', "or SMS"),
        add_comment("# low = 20000", "5, 50 and 95% points"),
        "# central = 30000",
        "# high = 40000",
        add_comment('# per = "year"', "or month"),
    ]
    return "\n".join(lines) + "\n"


def add_comment(setting: str, comment: str) -> str:
    """A setting with its comment in a column of its own, or above the setting if the line gets too long."""
    line = f"{setting:<{COMMENT_AT}}  # {comment}" if comment else setting
    return line if len(line) <= WIDTH else f"# {comment}\n{setting}"


def domain_lines(proposal: Proposal, answers: Answers) -> list[str]:
    if not answers.domains and not proposal.has_mail:
        return ["# domains = []  # own mail domains"]
    assumed = f"; {ASSUMED}" if answers.is_assumed else ""
    return [
        "# Own mail domains: mail to them is inbound.",
        *explain_own(proposal.domains, bool(answers.domains), assumed),
        *(format_array("domains", answers.domains) if answers.domains or not proposal.domains.others else []),
    ]


def explain_own(domains: Domains, has_own: bool, assumed: str) -> list[str]:
    """Comments with the evidence for own domains; without own domains, with the domains of recipients."""
    if has_own and domains.relayed and not domains.local:
        return [f"# Mail of strangers to these is taken here{assumed}."]
    if has_own and domains.relayed:
        return ["# Mail to these ends here, or is taken from strangers", f"# to go elsewhere{assumed}."]
    if has_own:
        return [f"# These have local deliveries{assumed}."]
    lines = [f"# The logs show none{assumed}."]
    if domains.others:
        # A line that is valid once it is uncommented.
        shown = [
            f"# domains = [{', '.join(map(quote_toml, list(domains.others)[:count]))}]" for count in EXAMPLES
        ]
        lines.append("# Recipients are in these; name those that are yours.")
        lines.append([each for each in shown if len(each) <= WIDTH or each is shown[0]][-1])
    return lines


def prefix_lines(answers: Answers) -> list[str]:
    if not answers.number_prefixes:
        return ["# number_prefixes = ['+4477']  # what own numbers begin with"]
    wide = ": all of the country's. Name your own ranges" if answers.is_assumed else ""
    return [
        f"# What own numbers begin with{wide}.",
        *format_array("number_prefixes", answers.number_prefixes),
    ]


def format_array(name: str, values: tuple[str, ...]) -> list[str]:
    """An array of texts, on one line where it fits."""
    line = f"{name} = [{', '.join(map(quote_toml, values))}]"
    return (
        [line]
        if len(line) <= WIDTH
        else [f"{name} = [", *(f"    {quote_toml(each)}," for each in values), "]"]
    )


def link_lines(proposal: Proposal) -> list[str]:
    """Links as comments, because logs do not record their kind."""
    if not proposal.links:
        return []
    lines = [
        "# Links that the logs name. Routes and signs of bypass need to know their kinds:",
        "# on-net, peer, aggregator, hub, roaming (schemas/codelists/route.csv).",
    ]
    for link, count in list(proposal.links.items())[:20]:
        lines += [
            "# [[operator.link]]",
            add_comment(f"# name = {quote_toml(link)}", f"{count:,} times"),
            '# kind = "peer"',
        ]
    return [*lines, ""]


def is_alone(source: FoundSource) -> bool:
    """Return whether the source reads a growing log but not its rotations."""
    return not (source.format in DOCUMENTS or is_pattern(source.url) or is_closed(source.url))


def source_lines(source: FoundSource) -> list[str]:
    lines = [
        "[[operator.source]]",
        add_comment(f"id = {quote_toml(source.id)}", "keep it: what was read is under it"),
        *(["# Only this file: end url in * to read its rotations, too"] if is_alone(source) else []),
        f"url = {quote_toml(source.url)}",
        f"format = {quote_toml(source.format)}",
    ]
    if source.options:
        options = ", ".join(
            f"{name} = {quote_toml(value) if isinstance(value, str) else str(value).lower()}"
            for name, value in source.options.items()
        )
        if source.assumed:
            lines += [f"# {ASSUMED}, field by field. Lines as it decodes them, masked:"]
            lines += [f"#   {each}" for line in source.assumed for each in textwrap.wrap(line, WIDTH - 4)]
        lines.append(f"options = {{ {options} }}")
    evidence = source.zone_by or "not in the log: name its place, as Europe/Paris"
    lines.append(add_comment(f"time_zone = {quote_toml(source.time_zone)}", evidence))
    if source.clock_offset:
        lines.append(add_comment(f"clock_offset = {source.clock_offset}", source.clock_by))
    return [*lines, ""]
