"""Settings of the study: packages in and out, signatures, and targets of spending."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from jobs.core.choices import check_choice
from jobs.core.contracts import list_codes
from jobs.settings.base import Settings


class Gap(Settings):
    """Targets that spending against spam is compared with.

    targets: norm, an amount for each subscription and year; middle and top, what the middle half and the
        upper quarter of respondents spend; best, what those spend that stop most of their spam. All without.
    norm: US dollars of the base year, one for all channels or one for each that is listed.
    best_share: the share of respondents that are the best.
    Without them the values of schemas/reference/investment_assumption.csv hold, which have no authority.
    """

    targets: list[Literal["norm", "middle", "top", "best"]] | None = Field(None, min_length=1)
    norm: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = Field(None, min_length=1)
    best_share: float | None = Field(None, gt=0, le=1)

    @field_validator("norm", mode="before")
    @classmethod
    def one_for_all(cls, given: Any) -> Any:
        return {"_T": given} if isinstance(given, int | float) else given

    @field_validator("norm")
    @classmethod
    def known_channels(cls, norm: dict[str, float] | None) -> dict[str, float] | None:
        for channel in norm or {}:
            check_choice(channel, {*list_codes("channel"), "_T"}, "channel")
        return norm


class Study(Settings):
    """What the study node has.

    respondents: the CSV file that lists who is asked.
    inbox: a folder of operators' packages. files: a folder with operator_frame, denominator and price_level.
    keyring: a folder with the OpenPGP public key of each respondent, <respondent_id>.asc, by which the
        signatures of its packages are verified.
    require_signature: refuse a package that its respondent did not sign, which is so unless this is false.
    open_share: a suspicious figure that moves the estimate of an area by more than this share of it has to be
        decided on before a release.
    gap: the targets that spending is compared with.
    """

    respondents: str | None = None
    inbox: str | None = None
    files: str | None = None
    keyring: str | None = None
    require_signature: bool = True
    open_share: float = Field(0.02, gt=0, le=1)
    gap: Gap = Gap()

    @model_validator(mode="after")
    def check_keyring(self) -> Study:
        # By default a keyring is only asked for when a package comes in: few settings are those of a study.
        is_set = "require_signature" in self.model_fields_set
        if is_set and self.require_signature and self.keyring is None:
            raise ValueError("require_signature needs keyring, the folder of the respondents' public keys")
        return self


class Submission(Settings):
    """What leaves an operator. least_units: counts leave as multiples of it, so that neither a count below it
    leaves nor a difference that would reveal one (X.1237)."""

    least_units: int = Field(5, ge=1, le=10**6)
