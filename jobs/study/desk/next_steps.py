"""Gaps of a study, and its next steps, in the order of docs/tsb.md."""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_count, format_noun, name_few
from jobs.base.core.periods import last_period, period_before, period_of
from jobs.base.figures.sizes import size_of
from jobs.base.settings.config import Observatory
from jobs.base.settings.release import Release
from jobs.base.store.lake import Lake
from jobs.base.tables.csv_tables import read_table
from jobs.study.desk.filled_rows import DENOMINATOR, FRAME, PRICES
from jobs.study.estimates.steps.finding_decisions import open_findings
from jobs.study.estimates.steps.frame import refuse_wrong_subscriptions
from jobs.study.estimates.steps.study_stage import ANSWERS, SUBMISSION, is_current
from jobs.study.public.secret import FILE, VALUE, p_pct
from jobs.study.questionnaire.respondents import Respondent, load_respondents
from jobs.study.release.about import next_version
from jobs.study.release.clearance import (
    SHEETS,
    UNASKED_FILE,
    make_command,
    read_clearance,
)
from jobs.study.release.decisions import list_published, read_decisions
from jobs.study.release.folders import list_releases
from jobs.study.release.manifest import verify_release
from jobs.study.release.publishing import list_newer, list_unsigned, refuse_unready
from jobs.study.release.signatures import signer_of

# So many names are printed; the rest is counted.
SHOWN = 6
# Settings of a study that nobody else can fill in.
OWN = {
    "study": ("deadline", "return_address"),
    "release": ("agency", "contact"),
}
NEEDED = (FRAME, DENOMINATOR, PRICES)


@dataclass(frozen=True)
class Step:
    """A step of a study.

    Attributes:
        missing: a line for each thing that it lacks; a step without is done.
        do: the command or file that helps.
        is_needed: whether the next step waits for it.
    """

    name: str
    missing: tuple[str, ...]
    do: str
    is_needed: bool = True


def list_steps(settings: Observatory, file: Path) -> list[Step]:
    """All steps up to a release that readers find.

    Args:
        file: the settings.
    """
    lake = Lake(settings.lake.root)
    loaded = {table: lake.read(table) for table in (ANSWERS, SUBMISSION) if lake.exists(table)}
    # The last quarter that was asked for, also once another one is over; before any answer, the last one that
    # is over by the deadline.
    quarter = last_period(
        {period for rows in loaded.values() for period in rows["period_code"] if "-Q" in period}
    ) or period_before(period_of(settings.study.deadline or settings.lake.now.date(), "quarter"))
    build_frame = f"observatory study frame --year {quarter[:4]}"
    listed, faults = read_respondents(settings)
    respondents = place(settings.study.respondents, "respondents.csv")
    keys = place(settings.study.keyring, "keys")
    steps = [
        Step("settings", tuple(unset(settings)), f"fill in {file.name}"),
        Step(
            "respondents",
            faults or list_unasked(settings, listed, "O", "operator"),
            respondents if faults else f"{build_frame} --ask",
        ),
        # A study can do without: the officer then decides on the country's rows.
        Step(
            "administrations",
            list_unasked(settings, listed, "A", "administration"),
            f"a row in {respondents}, or none",
            False,
        ),
        Step("frame", tuple(unframed(settings)), build_frame),
        Step("keys", tuple(list_missing_keys(settings, listed)), f"{keys}/ID.asc", False),
    ]
    steps += list_answer_steps(settings, lake, loaded, quarter)
    steps.append(Step("p", tuple(list_missing_p()), f"write it into the file p; export {FILE}=…/p"))
    signers = settings.release.signers
    has_signer = signers is not None and any(Path(signers).glob("*.asc"))
    steps.append(
        Step(
            "signers",
            () if has_signer else ("no public key of who may sign",),
            f"{place(signers, 'signers')}/NAME.asc",
        )
    )
    made = list_releases(Path(settings.release.root))
    steps.append(
        Step("release", () if made else ("none is made",), f"observatory release make --period {quarter}")
    )
    return [*steps, *list_release_steps(settings, made), *list_corrections(settings, made, loaded)]


def list_answer_steps(
    settings: Observatory, lake: Lake, loaded: Mapping[str, pl.DataFrame], quarter: str
) -> list[Step]:
    """Answers, the estimates from them, and what of these is suspicious.

    Args:
        loaded: the tables of answers.
        quarter: which is asked for.
    """
    nothing = ["no answer and no package is loaded"]
    if settings.study.deadline is None:
        nothing.append(f"[study] deadline is not set, so this is of {quarter}, the last quarter that is over")
    asked = f"{quarter[:4]} and --period {quarter}" if quarter.endswith("Q4") else quarter
    ask = f"observatory questionnaire make --period {asked}, then load"
    received = any(rows.height for rows in loaded.values())
    folder = settings.study.files
    estimated = received and folder is not None and is_current(lake, settings, Path(folder))
    older = () if estimated else ("none, or older than what they rest on",)
    steps = [
        Step("answers", () if received else tuple(nothing), ask),
        Step("estimates", older, "observatory study estimate"),
    ]
    periods = {period for rows in loaded.values() for period in rows["period_code"]}
    found = open_findings(lake, periods, settings.study.open_share) if estimated else []
    if found:
        open_ones = (f"{format_noun(len(found), 'suspicious figure')} open",)
        steps.append(Step("findings", open_ones, "observatory study check"))
    return steps


def list_corrections(
    settings: Observatory, made: Sequence[tuple[str, str]], loaded: Mapping[str, pl.DataFrame]
) -> list[Step]:
    """List respondents who answered after the last version of a release was made, for its period or its year:
    whether the next version waits for more is the officer's to decide."""
    if not made or ANSWERS not in loaded:
        return []
    period, version = made[-1]
    kept = Path(settings.release.restricted) / period / version
    at = made_at(kept)
    later = (
        loaded[ANSWERS].filter(
            pl.col("period_code").is_in([period, period[:4]]),
            pl.col("received_at") > dt.datetime.fromisoformat(at),
        )
        if at
        else loaded[ANSWERS].clear()
    )
    if later.is_empty():
        return []
    names = name_few(sorted(set(later["respondent_id"])), SHOWN)
    missing = (f"answered after {period}/{version} was made: {names}",)
    return [
        Step("correction", missing, f"observatory study estimate, check, then {make_command(kept)}", False)
    ]


def list_release_steps(settings: Observatory, made: Sequence[tuple[str, str]]) -> list[Step]:
    """Steps left for the release that was made last on its way to readers, and for the index beside it.

    Args:
        made: each release's period and version, in their order.
    """
    release = settings.release
    if not made:
        return []
    if release.public_root is None or release.signers is None:
        lacking = ("[release] public_root and signers have to be set",)
        return [Step("publication", lacking, "fill in the settings")]
    kept, public, signers = Path(release.restricted), Path(release.public_root), Path(release.signers)
    # Of versions of a period the last one counts: with [lake] read_at all are made at the same time.
    latest = dict(made)
    period, version = max(latest.items(), key=lambda each: (made_at(kept.joinpath(*each)), each))
    steps = list_publication_steps(settings, period, version)
    unsigned = list_unsigned(public, signers)
    if unsigned:
        file = unsigned[0].relative_to(public.parent)
        lines = tuple(f"{each.relative_to(public.parent)} is not signed" for each in unsigned)
        do = f"observatory release sign {file} --key KEY, on the officer's machine"
        steps.append(Step("index", lines, do))
    return steps


def list_publication_steps(settings: Observatory, period: str, version: str) -> list[Step]:
    """Steps until a version of a release is published; none once it is. Before it is cleared it is not
    signed: another version may take its place."""
    root, own = Path(settings.release.root), Path(settings.release.restricted, period, version)
    name, folder = f"{period}/{version}", root / period / version
    events = read_decisions(own)
    if name in list_published(own.parents[1]):
        withdrawn = tuple(
            f"{name} is withdrawn: {each.reason}" for each in events if each.what == "withdrawn"
        )
        again = f"{make_command(own)}, or leave it at that"
        return [Step("next version", withdrawn, again, False)] if withdrawn else []
    lacking = tuple(list_unready(folder, own, settings.lake.now.date()))
    steps = [Step("clearance", lacking, clear_command(own, name))]
    if lacking:
        return steps
    if settings.release.signers is not None:
        signing = f"observatory release sign {folder.relative_to(root.parent)} --key KEY"
        unsigned = tuple(refusal(signer_of, folder, Path(settings.release.signers)))
        steps.append(Step("signature", unsigned, f"{signing}, on the officer's machine"))
    publish = f"observatory release publish {name} --by NAME"
    return [*steps, Step("publication", (f"{name} is not published",), publish)]


def made_at(restricted: Path) -> str:
    """Return the time a release was made; empty if no record says so."""
    return next((each.at for each in read_decisions(restricted) if each.what == "made"), "")


def refusal(check: Callable[..., object], *given: object) -> list[str]:
    """The lines with which a check refuses what it was given; none if it does not."""
    try:
        check(*given)
    except ObservatoryError as error:
        return str(error).splitlines()
    return []


def list_unready(folder: Path, restricted: Path, today: dt.date) -> list[str]:
    """Why `release publish` would refuse a release, signed or not."""
    return refusal(lambda: refuse_unready(folder, restricted, verify_release(folder), today))


def clear_command(restricted: Path, name: str) -> str:
    """The command that clears what comes first of a release."""
    found = read_clearance(restricted)
    if list_newer(restricted) or (found and found.countries_left_out and not found.open_objections):
        return make_command(restricted)
    if found is None:
        return f"observatory release clear make {name} --deadline DATE, then send the sheets"
    if found.open_objections:
        country = found.open_objections[0].country
        decide = f"observatory release clear decide {name} {country}"
        return f"{decide} --as published|left_out --by NAME --reason TEXT"
    if found.undecided:
        file = restricted.relative_to(restricted.parents[2]) / SHEETS / UNASKED_FILE
        return f"observatory release clear unasked {name} {file}"
    # With a sheet of an earlier version `load` refuses all: each version has its own folder in the guide.
    sheets = "sheets" if restricted.name == next_version([], False) else f"sheets-{restricted.name}"
    return f"observatory release clear load {name} returned/{sheets}/*.xlsx"


def place(path: str | None, otherwise: str) -> str:
    """The name of a file or folder of the study."""
    return Path(path or otherwise).name


def unset(settings: Observatory) -> Iterator[str]:
    defaults = Release()
    for table, names in OWN.items():
        given = getattr(settings, table)
        names_unset = [
            name for name in names if getattr(given, name) in (None, getattr(defaults, name, None))
        ]
        if names_unset:
            yield f"[{table}] {', '.join(names_unset)}"
    if not settings.study.countries:
        yield "[study] countries"


def read_respondents(settings: Observatory) -> tuple[list[Respondent], tuple[str, ...]]:
    """The list of respondents, and its faults; no respondent where it has any."""
    try:
        return list(load_respondents(settings).values()), ()
    except ObservatoryError as error:
        return [], tuple(str(error).splitlines())


def list_unasked(
    settings: Observatory, listed: Sequence[Respondent], role: str, name: str
) -> tuple[str, ...]:
    """The study's countries of which nobody of a role is asked; of administrations the officer may decide to
    ask none."""
    without = set(settings.study.countries) - {each.country for each in listed if each.role == role}
    listed_few = name_few(sorted(without), SHOWN)
    said = f"not asked, which you may decide: {listed_few}" if role == "A" else f"no {name} of {listed_few}"
    return (said,) if without else ()


def unframed(settings: Observatory) -> Iterator[str]:
    """Gaps of the study's files in countries and respondents, and sizes that do not fit subscriptions."""
    if settings.study.files is None:
        yield "[study] files is not set"
        return
    have = {}
    for table in NEEDED:
        try:
            have[table] = read_table(Path(settings.study.files), table)
        except ObservatoryError as error:
            yield from str(error).splitlines()
            continue
        name = f"{table.partition('.')[2]}.csv"
        without = set(settings.study.countries) - set(have[table]["country_code"])
        if without:
            yield f"{name} has no row of {name_few(sorted(without), SHOWN)}"
    if {FRAME, DENOMINATOR} <= have.keys():
        try:
            refuse_wrong_subscriptions(have, Path(settings.study.files))
        except ObservatoryError as error:
            yield from str(error).splitlines()
    frame = have.get(FRAME)
    if frame is None:
        return
    odd = [
        row
        for row in frame.select("respondent_id", "size_code", "subscriptions").unique().sort(pl.all()).rows()
        if row[1] != size_of(row[2])
    ]
    if odd:
        who, size, subscriptions = odd[0]
        yield (
            f"operator_frame.csv: {who} is {size}, and its {format_count(subscriptions)} subscriptions"
            f" make it {size_of(subscriptions)}"
            + (f"; {len(odd) - 1} more are like it" if len(odd) > 1 else "")
        )


def list_missing_keys(settings: Observatory, listed: Sequence[Respondent]) -> Iterator[str]:
    """Missing keys for packages (answers in forms need none): the study's key that signs answers to packages,
    and a public key of each operator that sends any."""
    if settings.study.receipt_key is None:
        yield "no [study] receipt_key: needed to answer packages, not forms"
    if settings.study.keyring is None or not settings.study.require_signature:
        return
    keys = {file.stem for file in Path(settings.study.keyring).glob("*.asc")}
    without = {each.id for each in listed if each.role == "O"} - keys
    if without:
        yield f"no key of {name_few(sorted(without), SHOWN)}: needed of those that send packages"


def list_missing_p() -> Iterator[str]:
    if not os.environ.get(VALUE) and not os.environ.get(FILE):
        yield f"{FILE} is not set"
        return
    try:
        p_pct()
    except ObservatoryError as error:
        yield str(error)
