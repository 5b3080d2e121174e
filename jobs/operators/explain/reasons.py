"""The reasons for rows of silver, in sentences: stage, outcome, direction, measure and type, each with the
rule or the row that decided it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.base.core.numbers import format_number
from jobs.operators.explain.assembled import DecidingRules
from jobs.operators.explain.search import COMPLAINT, KNOWLEDGE, MESSAGE, TRANSMISSION, VERDICT, Match
from jobs.operators.protect.rules import MeasureRule, TypeRule
from jobs.operators.protect.shapes import OTHER
from jobs.operators.silver.hops import NOT_COUNTED
from jobs.operators.silver.refusals import IS_TEMPORARY

# So many digits of a key are shown.
SHORT = 8
# A rule's pattern is cut after so many characters.
LONGEST = 60
NOT_COUNTED_BECAUSE = {
    "dsn": "a bounce or notice that the server made itself: it counts as no message",
    "report": "a report to the operator: it is a complaint and counts as no message",
}


@dataclass(frozen=True)
class Reason:
    """A row of silver: its table, its identification, and sentences with the reasons."""

    table: str
    row: str
    because: list[str]


def list_reasons(match: Match, decisions: Mapping[str, DecidingRules]) -> list[Reason]:
    """The reasons for each silver row of a match, the transmissions first."""
    found = []
    for row in match.silver_rows(TRANSMISSION).to_dicts():
        decided = decisions.get(row["transmission_hash"])
        shown = f"{row['transmission_hash'][:SHORT]} {row['queue_id'] or ''} {describe_recipient(row)}"
        found.append(Reason(TRANSMISSION, " ".join(shown.split()), list(explain_transmission(row, decided))))
    for row in match.silver_rows(VERDICT).to_dicts():
        decided = decisions.get(row["verdict_hash"])
        shown = f"{row['verdict_hash'][:SHORT]} {row['engine_code']} {row['verdict_at']:%H:%M:%S}"
        found.append(Reason(VERDICT, shown, list(explain_verdict(row, decided))))
    for row in match.silver_rows(COMPLAINT).to_dicts():
        reported = f"{row['feedback_type_code']}, reported {row['reported_at']:%Y-%m-%d %H:%M}"
        found.append(Reason(COMPLAINT, row["complaint_hash"][:SHORT], [reported]))
    for row in match.silver_rows(KNOWLEDGE).to_dicts():
        found.append(Reason(KNOWLEDGE, row["knowledge_hash"][:SHORT], ["a fact that the operator gave"]))
    for row in match.silver_rows(MESSAGE).to_dicts():
        shown = f"{row['message_hash'][:SHORT]} {describe_recipient(row)}"
        found.append(Reason(MESSAGE, shown, list(explain_message(row, match))))
    return found


def describe_recipient(row: Mapping[str, Any]) -> str:
    if row["recipient_hash"] in (None, "_U"):
        return "to a recipient that the log does not name"
    domain = f" at {row['recipient_domain']}" if row["recipient_domain"] else ""
    return f"to {row['recipient_hash'][:SHORT]}{domain}"


def explain_transmission(row: Mapping[str, Any], decided: DecidingRules | None) -> list[str]:
    codes = " ".join(each for each in (row["reply_code"], row["dsn_code"]) if each)
    tries = f" after {row['try_count']} tries" if (row["try_count"] or 0) > 1 else ""
    sentences = [f"{row['outcome_code']} at stage {row['stage_code']}{f' ({codes})' if codes else ''}{tries}"]
    sentences.append(describe_direction(row["is_own_client"], row["is_own_recipient"]))
    sentences += describe_measure(row, decided) + describe_type(row, decided)
    if row["is_handoff"]:
        sentences.append("handed to a filter of the operator: a hop of the message, not its delivery")
    return sentences


def describe_direction(own_client: bool | None, own_recipient: bool | None) -> str:
    client = "own" if own_client else "not own"
    recipient = "own" if own_recipient else "not own"
    return f"the client is {client}, the recipient is {recipient}"


def explain_verdict(row: Mapping[str, Any], decided: DecidingRules | None) -> list[str]:
    score = "" if row["score"] is None else f", score {format_number(row['score'])}"
    needed = "" if row["required_score"] is None else f" of {format_number(row['required_score'])}"
    action = f"action '{row['action_name']}'" if row["action_name"] else "no action logged"
    action = "an action of another name" if row["action_name"] == OTHER else action
    spam = {True: ", spam", False: ", no spam", None: ""}[row["is_spam"]]
    return [f"{action}{score}{needed}{spam}", *describe_measure(row, decided), *describe_type(row, decided)]


def describe_measure(row: Mapping[str, Any], decided: DecidingRules | None) -> list[str]:
    code = row["countermeasure_code"]
    if code is None:
        return []
    purpose = {True: "against spam", False: "not against spam", None: "against spam or not"}[
        row["is_antispam"]
    ]
    return [f"measure {code}, {purpose}{describe_rule(decided.measure if decided else None)}"]


def describe_type(row: Mapping[str, Any], decided: DecidingRules | None) -> list[str]:
    code = row["spam_type_code"]
    if code is None:
        return []
    strength = "strong" if row["is_type_strong"] else "weak"
    others = [rule.rule_id for rule in decided.types if rule != decided.type] if decided else []
    more = f"; also matched: {', '.join(others)}" if others else ""
    return [f"type {code}, {strength}{describe_rule(decided.type if decided else None)}{more}"]


def describe_rule(rule: MeasureRule | TypeRule | None) -> str:
    if rule is None:
        return ", by no rule of the tables"
    pattern = rule.pattern if len(rule.pattern) <= LONGEST else f"{rule.pattern[:LONGEST]}…"
    return f", by rule {rule.rule_id} ({rule.match_on} = {pattern})"


def explain_message(row: Mapping[str, Any], match: Match) -> list[str]:
    sentences = [
        f"{row['grain_code']}: {row['outcome_code']} at stage {row['stage_code']},"
        f" {describe_decider(row, match)}"
    ]
    place = ("source_id", "stream_id", "offset")
    sent = match.silver_rows(TRANSMISSION).to_dicts()
    root = next((each for each in sent if all(each[name] == row[name] for name in place)), None)
    whose = f": {describe_direction(root['is_own_client'], root['is_own_recipient'])}" if root else ""
    sentences.append(f"direction {row['direction_code']}{whose}")
    if row["countermeasure_code"]:
        sentences.append(f"measure {row['countermeasure_code']}")
    if row["spam_type_code"]:
        strength = "strong" if row["is_type_strong"] else "weak"
        kind = "" if row["spam_type_code"] == "UNK" else f", {strength}"
        sentences.append(f"type {row['spam_type_code']}{kind}")
    if row["grain_code"] == "recipient":
        stands = (
            "stands for its message" if row["is_message_row"] else "another recipient stands for its message"
        )
        sentences.append(f"counts as one recipient; {stands}")
    hops = match.silver_rows(TRANSMISSION)["queue_key"].n_unique()
    if hops > 1:
        sentences.append(f"{hops} queue files are hops of one message: the outcome is that of the last")
    return sentences


def describe_decider(row: Mapping[str, Any], match: Match) -> str:
    """Return whether a filter's verdict or the server's log decided the outcome."""
    verdicts = match.silver_rows(VERDICT)
    if row["engine_code"] is None or verdicts.is_empty():
        return "as the server logged it"
    if row["outcome_code"] == "tagged":
        return f"for {row['engine_code']} marked what the server delivered"
    if row["is_marked"]:
        return f"as the server logged it, after {row['engine_code']} marked the message"
    if row["stage_code"] == "content":
        return f"as the server logged it, by the verdict of {row['engine_code']}"
    return f"as the server logged it; {row['engine_code']} let it pass"


def why_not_counted(match: Match) -> str | None:
    """Why the transmissions have no row of silver.message; None if they have one, or if there are none."""
    sent = match.silver_rows(TRANSMISSION)
    if sent.is_empty() or match.silver_rows(MESSAGE).height:
        return None
    entries = set(sent["entry_code"].drop_nulls()) & set(NOT_COUNTED)
    if entries:
        entry = sorted(entries)[0]
        return NOT_COUNTED_BECAUSE.get(entry, f"what came in as {entry} counts as no message")
    if sent.select(IS_TEMPORARY.all()).item():
        return (
            "a temporary refusal that the same network, sender and recipient followed up within 24 hours: it"
            " counts in what followed"
        )
    return "a later hop of a message whose first hop is not among these rows, or silver is to be computed"
