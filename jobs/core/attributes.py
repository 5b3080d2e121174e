"""The attributes of a message that definitions of spam ask for, and the type of each in Spark.

A log knows few of them: what it does not record is NULL. What the operator knows beside its logs
(jobs/formats/knowledge) comes before what rules read from them (ref.attribute_rule).

A label of an audit contains none of them: it says whether a message is spam to the operator. So labels cover
only definitions that ask for nothing but what the operator's measures did.
"""

from __future__ import annotations

from collections.abc import Iterable

ATTRIBUTES = {
    "is_bulk": "boolean",
    "commercial_code": "string",
    "consent_code": "string",
    "is_optout_present": "boolean",
    "is_optout_honoured": "boolean",
    "is_sender_identified": "boolean",
    "is_header_forged": "boolean",
    "is_subject_deceptive": "boolean",
    "is_recipient_natural": "boolean",
    "is_automated": "boolean",
    "is_exempt": "boolean",
    "is_malicious": "boolean",
    "is_sender_registered": "boolean",
    "is_template_registered": "boolean",
    "is_preference_refused": "boolean",
}


def asked(predicates: Iterable[str]) -> tuple[str, ...]:
    """The attributes that the predicates of a definition ask for; none where labels speak for it."""
    # Formats and silver import this module for the names alone.
    import sqlglot
    from sqlglot import exp

    columns = {
        column.name
        for predicate in predicates
        for column in sqlglot.parse_one(predicate, read="spark").find_all(exp.Column)
    }
    return tuple(name for name in ATTRIBUTES if name in columns)
