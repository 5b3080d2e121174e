"""The mapping profile: what each column of a delimited log means, as its user writes it in TOML.

    options = { profile = "restcomm" }              one that ships, of
    jobs/operators/formats/delimited/profiles/ options = { profile = "profiles/our_smsc.toml" } a file of the
    user's, relative to observatory.toml

profiles/sms_firewall.toml is the example to copy: it explains every key. `observatory sniff` prints a
profile to start from for an unknown file.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from jobs.base.core.choices import check_choice, nearest_hint
from jobs.base.figures.channels import CALLS
from jobs.base.settings.base import code_of
from jobs.base.settings.values import check_zone
from jobs.base.tables.contracts import list_codes

# Stands in a drafted profile where only the user can know what is meant.
TO_FILL = "FILL IN"
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}

Kind = Literal["text", "number", "ip", "integer", "time", "code"]
# What a target holds; a target that is not named here holds text.
KINDS: dict[str, Kind] = {
    "first_at": "time",
    "last_at": "time",
    "sender": "number",
    "recipient": "number",
    "client_ip": "ip",
    "entry_code": "code",
    "message_bytes": "integer",
    "segment_count": "integer",
    "try_count": "integer",
}


class ProfileSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def refuse_unfilled(value: Any) -> Any:
    """The value, unless it is a place that a drafted profile left to its user."""
    if value == TO_FILL:
        raise ValueError("this place is still to be filled in")
    return value


def wrap_values(values: Any) -> Any:
    """One value as a list."""
    return [refuse_unfilled(values)] if isinstance(values, str) else values


# One text, or several.
Texts = Annotated[list[str], BeforeValidator(wrap_values)]


class Target(ProfileSection):
    """The origin of one column of a transmission: one column, the first of several that holds anything, or a
    fixed value.

    Attributes:
        join: of several, all of them with this between, such as a date and a time.
        type: what must stand there; each target has its own, which need not be said.
        formats: of a time, as in strftime, or epoch_s, epoch_ms, epoch_us; the first that fits.
        time_zone: of a time without an offset, instead of the source's.
        codes: of a code, what each value stands for.
        default: what all others do.
        means: of a reply_code, which table its numbers are of; without it they are taken as they stand.
    """

    column: str | None = None
    columns: list[str] = []
    value: str | None = None
    join: str | None = None
    type: Kind | None = None
    formats: list[str] = []
    time_zone: Annotated[str, AfterValidator(check_zone)] | None = None
    codes: dict[str, str] = {}
    default: str | None = None
    means: Literal["map_error", "rp_cause", "tp_fcs"] | None = None

    @field_validator("formats")
    @classmethod
    def whole_times(cls, formats: list[str]) -> list[str]:
        for form in formats:
            refuse_unfilled(form)
            if not tells_a_time(form):
                raise ValueError(
                    f"'{form}' gives no whole time; write it as in %Y-%m-%d %H:%M:%S, or epoch_s, epoch_ms"
                )
        return formats

    @model_validator(mode="after")
    def check_origin(self) -> Target:
        refuse_unfilled(self.column)
        if sum((self.column is not None, bool(self.columns), self.value is not None)) != 1:
            raise ValueError("say one of column, columns and value")
        if self.join is not None and len(self.columns) < 2:
            raise ValueError("join is for several columns")
        return self

    @property
    def origins(self) -> list[str]:
        return [self.column] if self.column is not None else self.columns


def refuse_words_of_others(name: str, target: Target, kind: str) -> None:
    """Refuse formats outside a time, and codes outside a code."""
    if kind != "time" and target.formats:
        raise ValueError(f"{name} is no time and has no formats")
    if kind != "code" and (target.codes or target.default):
        raise ValueError(f"{name} is no code: codes and default do not belong to it")


def check_codes(name: str, target: Target) -> None:
    """Refuse codes that are not in the list of their column, and a column without a default."""
    for code in [*target.codes.values(), target.default, target.value]:
        if code is not None:
            check_choice(refuse_unfilled(code), list_codes(name.removesuffix("_code")), name)
    if target.origins and target.default is None:
        raise ValueError(f"{name} needs a default for values that are not among its codes")


class Targets(ProfileSection):
    """Columns of a transmission that a profile may fill (jobs/operators/formats/__init__.py says what each
    is)."""

    first_at: Target
    last_at: Target | None = None
    sender: Target
    recipient: Target
    client_ip: Target | None = None
    client_name: Target | None = None
    inbound_link: Target | None = None
    outbound_link: Target | None = None
    account: Target | None = None
    cell_id: Target | None = None
    entry_code: Target | None = None
    message_id: Target | None = None
    message_bytes: Target | None = None
    segment_count: Target | None = None
    try_count: Target | None = None
    text: Target | None = None
    display_name: Target | None = None
    category: Target | None = None
    event: Target | None = None
    reply_code: Target | None = None
    reply_text: Target | None = None

    @model_validator(mode="after")
    def fitting_kinds(self) -> Targets:
        for name, target in self.given_targets().items():
            kind = KINDS.get(name, "text")
            if target.type not in (None, kind):
                raise ValueError(f"{name} holds a {kind}, not a {target.type}")
            if target.means is not None and name != "reply_code":
                raise ValueError(f"{name} is no reply_code: means does not belong to it")
            refuse_words_of_others(name, target, kind)
            if kind == "time" and not (target.formats and target.origins):
                raise ValueError(f"{name} needs a column and formats, such as ['%Y-%m-%d %H:%M:%S']")
            if kind == "code":
                check_codes(name, target)
            if kind == "integer" and target.value is not None and not target.value.isdigit():
                raise ValueError(f"{name} is an integer; '{target.value}' is none")
        return self

    def given_targets(self) -> dict[str, Target]:
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: target for name, target in found.items() if target is not None}


class ValueMatch(ProfileSection):
    """A match of values: those equal to one in `is`, or beginning with one in `starts_with`."""

    equals: Texts = Field([], alias="is")
    starts_with: Texts = []


class Ignored(ValueMatch):
    """Rows that are no message: the column's value matches, or is none of `is_not`."""

    column: str
    is_not: Texts = []

    @model_validator(mode="after")
    def says_something(self) -> Ignored:
        if not (self.equals or self.starts_with or self.is_not):
            raise ValueError("say which rows: is, starts_with or is_not")
        return self


class Decided(ProfileSection):
    """stage and outcome of a row.

    Attributes:
        grain: attempt where it was refused before a message existed; call on channels of calls, which need
            not be said.
    """

    stage: str
    outcome: str
    grain: str | None = None

    @field_validator("stage", "outcome", "grain")
    @classmethod
    def known_code(cls, code: str | None, info: Any) -> str | None:
        return code and check_choice(refuse_unfilled(code), list_codes(info.field_name), info.field_name)

    def grain_code(self, channel: str) -> str:
        """A call is one, whatever became of it. Of messages an attempt is what was refused or put off before
        its delivery, unless the profile says more."""
        if channel in CALLS:
            return "call"
        is_refused = self.outcome in ("rejected", "deferred") and self.stage != "delivery"
        return self.grain or ("attempt" if is_refused else "recipient")


class Rule(ValueMatch, Decided):
    """The meaning of some values of the outcome's columns.

    Attributes:
        is_part: such a row is one segment of a longer message (see message_key).
    """

    is_part: bool = False

    @model_validator(mode="after")
    def says_something(self) -> Rule:
        if not (self.equals or self.starts_with):
            raise ValueError("say which values: is or starts_with")
        return self


class OutcomeMapping(ProfileSection):
    """The mapping of the outcome: its columns (several are joined by /), what their values stand for, and
    what all other values do: a stage and outcome, or "quarantine", or "ignore"."""

    columns: Texts = Field(min_length=1)
    rule: list[Rule] = []
    default: Decided | Literal["quarantine", "ignore"]

    @field_validator("default", mode="before")
    @classmethod
    def check_default(cls, value: Any) -> Any:
        if isinstance(value, str):
            return check_choice(refuse_unfilled(value), ["quarantine", "ignore"], "default")
        return value


class Profile(ProfileSection):
    """The whole of a profile. profiles/sms_firewall.toml explains each key."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    description: str = ""
    channel: Annotated[str, AfterValidator(refuse_unfilled), code_of("channel", "channel")]
    delimiter: str = ","
    quote: str = '"'
    header: bool = False
    comment: str = ""
    columns: list[str] = Field(min_length=2)
    extra_columns: bool = False
    null: list[str] = []
    message_key: list[str] = []
    part_key: list[str] = []
    field: Targets
    outcome: OutcomeMapping
    ignore: list[Ignored] = []

    @field_validator("delimiter", "quote")
    @classmethod
    def check_sign(cls, sign: str, info: Any) -> str:
        if info.field_name == "quote" and sign == "":
            return sign
        if len(sign) != 1 or not sign.isascii() or sign in "\r\n\0":
            raise ValueError(f"'{sign}' must be one ASCII sign, such as , or ; or \\t")
        return sign

    @model_validator(mode="after")
    def known_columns(self) -> Profile:
        if self.delimiter == self.quote:
            raise ValueError("delimiter and quote must differ")
        for column in self.columns:
            if self.columns.count(column) > 1:
                raise ValueError(f"columns: '{column}' stands twice")
        for place, column in self.used_columns():
            if column == TO_FILL:
                raise ValueError(f"{place}: this place is still to be filled in")
            if column not in self.columns:
                raise ValueError(f"{place}: unknown column '{column}'{nearest_hint(column, self.columns)}")
        for rule in (*self.outcome.rule, self.outcome.default):
            if isinstance(rule, Decided) and rule.grain is not None:
                if self.channel in CALLS and rule.grain != "call":
                    raise ValueError(f"rows of calls are calls: grain must be call, not {rule.grain}")
                if self.channel not in CALLS and rule.grain == "call":
                    raise ValueError(f"grain call is for {', '.join(CALLS[:-1])} and {CALLS[-1]}")
        if self.part_key and not self.message_key:
            raise ValueError("part_key distinguishes the parts of a message: give message_key, too")
        return self

    def used_columns(self) -> list[tuple[str, str]]:
        """Each column that the profile reads, with the key that names it."""
        targets = self.field.given_targets().items()
        return [
            *((f"field.{name}", column) for name, target in targets for column in target.origins),
            *(("outcome.columns", column) for column in self.outcome.columns),
            *(("ignore", ignored.column) for ignored in self.ignore),
            *(("message_key", column) for column in self.message_key),
            *(("part_key", column) for column in self.part_key),
        ]


def tells_a_time(form: str) -> bool:
    """Return whether a format holds all that a time needs, down to the minute."""
    if form in EPOCHS:
        return True
    moment = dt.datetime(2026, 11, 24, 13, 47)
    try:
        written = pl.Series([moment]).dt.replace_time_zone("UTC").dt.strftime(form)
        read = written.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")
    except (pl.exceptions.PolarsError, ValueError):
        return False
    return read.to_list() == [moment.replace(tzinfo=dt.UTC)]
