"""Attributes of a message that definitions of spam may use, each with its SQL type.

Logs record few of them; the others are NULL. What the operator states
(jobs/formats/knowledge) takes precedence over what rules derive from logs (ref.attribute_rule).

A label of an audit states none of them, only whether the operator takes the message for spam. So labels apply
to definitions without attributes only, which depend on what the operator's measures did.
"""

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
