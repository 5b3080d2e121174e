"""Settings of the study: packages in and out, signatures, and targets of spending."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from jobs.base.core.choices import check_choice
from jobs.base.settings.access import Access, check_access, check_drop_folder
from jobs.base.settings.base import MOST_DAYS, Settings
from jobs.base.settings.countries import check_country
from jobs.base.settings.values import refuse_repeats
from jobs.base.tables.contracts import list_codes


class Gap(Settings):
    """Targets that spending against spam is compared with. Without a setting the value of
    [`investment_assumption.csv`](../schemas/reference/README.md#refinvestment_assumption) holds, which has no
    authority: then no gap is published."""

    targets: list[Literal["norm", "middle", "top", "best"]] | None = Field(None, min_length=1)
    """`norm`, an amount for each subscription and year; `middle` and `top`, what the middle half and the
    upper quarter of respondents spend; `best`, what those spend that stop most of their spam. Without it
    all."""
    norm: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = Field(None, min_length=1)
    """What countering spam should cost for each subscription and year, as the study decides: US dollars of
    the base year, one number or `{ EMAIL = 0.8, SMS = 0.2 }`. Without a decision leave it out: no gap to it
    leaves."""
    best_share: float | None = Field(None, gt=0, le=1)
    """The share of respondents that are the best."""

    @field_validator("norm", mode="before")
    @classmethod
    def refuse_several(cls, given: Any) -> Any:
        return {"_T": given} if isinstance(given, int | float) else given

    @field_validator("norm")
    @classmethod
    def check_channels(cls, norm: dict[str, float] | None) -> dict[str, float] | None:
        for channel in norm or {}:
            check_choice(channel, {*list_codes("channel"), "_T"}, "channel")
        return norm


class Study(Settings):
    """Settings of the study node: see [the TSB officer's guide](tsb.md#settings-of-the-study-node)."""

    paths = ("respondents", "inbox", "files", "keyring")

    countries: list[str] = []
    """The countries of the study, by ISO 3166-1 alpha-3: `study frame` builds its files for them, and `study
    init --check` names what they lack."""
    respondents: str | None = None
    """The CSV file that lists who is asked."""
    inbox: Annotated[str, AfterValidator(check_drop_folder)] | None = None
    """The folder in which operators' packages arrive: a path, which may have wildcards where each operator
    has a folder of its own, or an `sftp://` or `s3://` URL. Answers are put into `receipts` beside it."""
    access: Access = Access()
    """How the host of the inbox is reached, where its URL and the usual files do not say it."""
    files: str | None = None
    """The folder with the frame of operators, denominators and price levels."""
    keyring: str | None = None
    """The folder with the OpenPGP public key of each respondent, `<respondent_id>.asc`, by which the
    signatures of its packages are verified."""
    require_signature: bool = True
    """Whether a package that its respondent did not sign is refused."""
    receipt_key: str | None = None
    """The study's secret key, as `gpg` names it, that signs its answers. Operators verify them by its public
    key."""
    open_share: float = Field(0.02, gt=0, le=1)
    """A suspicious figure that moves the estimate of an area by more than this share of it has to be decided
    on before a release."""
    deadline: dt.date | None = None
    """The day until which respondents are asked to answer; letters name it."""
    return_address: str | None = None
    """Where respondents send answers, as letters name it: an address of your office, or of a place to upload
    files to."""
    changed_share: float = Field(0.2, gt=0)
    """`study frame` lists a figure that differs by more than this share from the one before, or from another
    source's for the same year."""
    stale_years: int = Field(2, ge=0, le=20)
    """`study frame` lists figures that are older than so many years before the study's year."""
    gap: Gap = Gap()

    @field_validator("countries")
    @classmethod
    def check_countries(cls, countries: list[str]) -> list[str]:
        for code in countries:
            check_country(code)
        refuse_repeats(countries, "country")
        return countries

    @model_validator(mode="after")
    def validate_access(self) -> Study:
        check_access(self.inbox or "", self.access)
        return self

    @model_validator(mode="after")
    def check_keyring(self) -> Study:
        # By default a keyring is only asked for when a package comes in: few settings are those of a study.
        is_set = "require_signature" in self.model_fields_set
        if is_set and self.require_signature and self.keyring is None:
            raise ValueError("require_signature needs keyring, the folder of the respondents' public keys")
        return self


class Submission(Settings):
    """The packages of an operator, and where they go: see [what leaves your
    network](operator.md#what-leaves-your-network)."""

    paths = ("inbox", "study_key")

    least_units: int = Field(5, ge=1, le=10**6)
    """Counts leave as multiples of this number, so that neither a count below it leaves nor a difference that
    would reveal one (X.1237). Keep it for good: two packages under different values are not protected from
    each other."""
    inbox: Annotated[str, AfterValidator(check_drop_folder)] | None = None
    """The study's inbox, to which `observatory submit` delivers packages: an `sftp://` or `s3://` URL, or a
    folder. The study's answers are read from `receipts` beside it. Without it nothing is sent."""
    access: Access = Access()
    """How the host of the inbox is reached, where its URL and the usual files do not say it."""
    sign: str | None = None
    """The secret key that signs packages, as `gpg` names it; `--sign` comes before it."""
    encrypt_to: str | None = None
    """The public key that packages are encrypted to, by its whole fingerprint; `--encrypt-to` comes before
    it."""
    study_key: str | None = None
    """The file of the study's OpenPGP public key. With it an answer counts only if this key signed it."""
    period: Literal["month", "quarter", "year"] = "month"
    """What each package covers: `status` reports the next one that is due."""
    due_days: int = Field(4, ge=0, le=MOST_DAYS)
    """So many days after a period has ended its package is due. A study loads on the fifth."""
    answer_days: int = Field(14, ge=1, le=MOST_DAYS)
    """So many days after a package was sent `status` reports that the study has not answered, and
    `operator_monthly` in Airflow gives up waiting."""

    @model_validator(mode="after")
    def validate_access(self) -> Submission:
        check_access(self.inbox or "", self.access)
        return self
