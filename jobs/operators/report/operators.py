"""The operators that a report page is about, as the settings describe them."""

from dataclasses import dataclass

from jobs.base.settings.operator import Operator


@dataclass(frozen=True)
class ReportedOperator:
    """An operator of the settings. has_links, has_domains: whether the settings name any."""

    id: str
    name: str
    country: str
    holding: str
    currency: str
    has_links: bool = True
    has_domains: bool = True


def reported_operator(operator: Operator) -> ReportedOperator:
    return ReportedOperator(
        id=operator.id,
        name=operator.name,
        country=operator.country,
        holding=operator.holding,
        currency=operator.currency,
        has_links=bool(operator.link),
        has_domains=bool(operator.domains),
    )
