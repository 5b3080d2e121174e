"""Attributes of a message that definitions of spam may use, each with its SQL type.

Logs record few of them; the others are NULL. What the operator states
(jobs/operators/formats/knowledge) takes precedence over what rules derive from logs (ref.attribute_rule).

A label of an audit states none of them, only whether the operator takes the message for spam. So labels apply
to definitions without attributes only, which depend on what the operator's measures did.
"""

from collections.abc import Iterable

from jobs.base.tables.contracts import read_fields

NAMES = (
    *("is_bulk", "commercial_code", "consent_code", "is_optout_present", "is_optout_honoured"),
    *("is_sender_identified", "is_header_forged", "is_subject_deceptive", "is_recipient_natural"),
    *("is_automated", "is_exempt", "is_malicious", "is_sender_registered", "is_template_registered"),
    "is_preference_refused",
)
ATTRIBUTES = {name: read_fields()[name].type for name in NAMES}


def asked_attributes(predicates: Iterable[str]) -> tuple[str, ...]:
    """The attributes that the predicates of a definition use. Labels of an audit apply where there are
    none."""
    # Formats and silver import this module for the names alone.
    import sqlglot
    from sqlglot import exp

    columns = {
        column.name
        for predicate in predicates
        for column in sqlglot.parse_one(predicate, read="spark").find_all(exp.Column)
    }
    return tuple(name for name in ATTRIBUTES if name in columns)
