"""An answer for a machine: the same figures as the terminal's view, as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.operators.sniff.proposal import describe_shape, propose_profile, source_block
from jobs.operators.sniff.survey import LogSurvey
from jobs.operators.sniff.tally import OTHER, REFUSAL

TRANSMISSION_KEYS = ("channel_code", "stage_code", "outcome_code")
UNIT_KEYS = ("channel_code", "unit_code", "stage_code", "outcome_code")


def describe_sniff(answer: LogSurvey) -> dict[str, object]:
    """The answer for a machine: counts as numbers, rounded to whole ones where they are estimates."""
    out: dict[str, object] = {
        "log": answer.log.url,
        "files": [each.file.name for each in answer.recognised],
        "copies": [{"file": copy, "of": whole} for copy, whole in answer.copies],
        "format": answer.format,
        "confidence": round(answer.confidence, 4),
        "assumed": answer.recognised[0].assumed,
        "runner_up": list(answer.runner_up) if answer.runner_up else None,
    }
    if answer.format is None:
        sample = answer.recognised[0].head
        seen = describe_shape(sample)
        return out | {"looks_like": seen, "profile": propose_profile(sample) if seen["delimiter"] else None}
    out["source"] = source_block(answer)
    if answer.documents is not None:
        documents = answer.documents
        return out | {
            "documents": documents.documents,
            "records": documents.records,
            "ignored": documents.ignored,
            "rows": documents.rows,
            "quarantined": dict(documents.reasons),
        }
    zone = answer.zone
    assert zone is not None
    return out | {
        "first_at": answer.first_at and answer.first_at.isoformat(),
        "last_at": answer.last_at and answer.last_at.isoformat(),
        "zone": {
            "name": zone.name,
            "known_by": zone.by,
            "told": zone.evidence,
            "fitting": list(zone.fitting),
        },
        **describe_lines(answer),
        **describe_unread_lines(answer),
        **describe_units(answer),
        "problems": [str(problem) for problem in answer.problems],
    }


def describe_lines(answer: LogSurvey) -> dict[str, object]:
    """Return how much of the log was read, and the number of its lines by outcome."""
    return {
        "is_exact": answer.is_exact,
        "share_read": round(answer.share_read, 6),
        "bytes": sum(each.total for each in answer.progress),
        "waiting_bytes": sum(each.waiting for each in answer.progress),
        "lines": round(answer.estimate_count(lambda each: each.lines)),
        "records": round(answer.estimate_count(lambda each: each.records)),
        "ignored": round(answer.estimate_count(lambda each: each.ignored)),
        "ignored_refusals": round(answer.estimate_count(lambda each: each.refusals)),
        "quarantined": round_counts(answer.quarantined_by_reason()),
        "companions": round_counts(answer.records_by_companion()),
    }


def describe_unread_lines(answer: LogSurvey) -> dict[str, object]:
    """The commonest forms of lines that are in quarantine, and of those that are ignored."""
    assert answer.tally is not None
    refused = answer.tally.refused.list_commonest()
    ignored = [row for reason in (REFUSAL, OTHER) for row in answer.tally.ignored.list_commonest(reason)]
    return {
        "not_understood": [name_form(answer, row, reason_code=row["reason_code"]) for row in refused],
        "ignored_lines": [
            name_form(answer, row, looks_like_refusal=row["reason_code"] == REFUSAL) for row in ignored
        ],
    }


def name_form(answer: LogSurvey, row: Mapping[str, Any], **why: Any) -> dict[str, object]:
    """A form of lines, why they are no records, how many there are, and where the first stands."""
    return {
        "pattern": row["pattern"],
        **why,
        "count": row["count"],
        "file": answer.recognised[row["stream"]].file.name,
        "line": row["line"],
        "offset": row["offset"],
    }


def describe_units(answer: LogSurvey) -> dict[str, object]:
    """The rows of silver, and the units that they count as."""
    units = answer.units
    return {
        "transmissions": list_counts(TRANSMISSION_KEYS, answer.transmissions),
        "verdicts": list_counts(("engine_code", "action", "is_spam"), answer.verdicts),
        "units": list_counts(UNIT_KEYS, dict(sorted(units.units.items()))) if units else [],
        "left_out": round_counts(units.not_counted) if units else {},
        "named_by_filters": round(units.named) if units else 0,
    }


def round_counts(counts: Mapping[str, float]) -> dict[str, int]:
    """Estimated counts as whole numbers."""
    return {name: round(count) for name, count in counts.items()}


def list_counts(names: Sequence[str], counts: Mapping[tuple[Any, ...], float]) -> list[dict[str, object]]:
    """A row for each key of counts, its parts by name."""
    return [dict(zip(names, key, strict=True)) | {"count": round(count)} for key, count in counts.items()]
