"""The attributes of a message that definitions of spam ask for, and the type of each in Spark.

A log knows few of them: what it does not tell is NULL. What the operator knows beside its logs
(jobs/formats/knowledge.py) comes before what rules read from them (ref.attribute_rule).
"""

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
