"""An answer for a machine: the same figures as the terminal's view, as JSON."""

from typing import Any

from jobs.operators.sniff.proposal import describe_shape, propose_profile, source_block
from jobs.operators.sniff.survey import LogSurvey
from jobs.operators.sniff.tally import OTHER, REFUSAL


def as_json(answer: LogSurvey) -> dict[str, Any]:
    """The answer for a machine: counts as numbers, rounded to whole ones where they are estimates."""
    out: dict[str, Any] = {
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
    tally, zone, units = answer.tally, answer.zone, answer.units
    assert tally is not None and zone is not None
    return out | {
        "first_at": answer.first_at and answer.first_at.isoformat(),
        "last_at": answer.last_at and answer.last_at.isoformat(),
        "zone": {
            "name": zone.name,
            "known_by": zone.by,
            "told": zone.evidence,
            "fitting": list(zone.fitting),
        },
        "is_exact": answer.is_exact,
        "share_read": round(answer.share_read, 6),
        "bytes": sum(each.total for each in answer.progress),
        "waiting_bytes": sum(each.waiting for each in answer.progress),
        "lines": round(answer.estimate_count(lambda each: each.lines)),
        "records": round(answer.estimate_count(lambda each: each.records)),
        "ignored": round(answer.estimate_count(lambda each: each.ignored)),
        "ignored_refusals": round(answer.estimate_count(lambda each: each.refusals)),
        "quarantined": {reason: round(count) for reason, count in answer.quarantined_by_reason().items()},
        "companions": {name: round(count) for name, count in answer.records_by_companion().items()},
        "not_understood": [
            {
                "pattern": row["pattern"],
                "reason_code": row["reason_code"],
                "count": row["count"],
                "file": answer.recognised[row["stream"]].file.name,
                "line": row["line"],
                "offset": row["offset"],
            }
            for row in tally.refused.list_commonest()
        ],
        "ignored_lines": [
            {
                "pattern": row["pattern"],
                "looks_like_refusal": row["reason_code"] == REFUSAL,
                "count": row["count"],
                "file": answer.recognised[row["stream"]].file.name,
                "line": row["line"],
                "offset": row["offset"],
            }
            for reason in (REFUSAL, OTHER)
            for row in tally.ignored.list_commonest(reason)
        ],
        "transmissions": [
            dict(zip(("channel_code", "stage_code", "outcome_code"), key, strict=True))
            | {"count": round(count)}
            for key, count in answer.transmissions.items()
        ],
        "verdicts": [
            dict(zip(("engine_code", "action", "is_spam"), key, strict=True)) | {"count": round(count)}
            for key, count in answer.verdicts.items()
        ],
        "units": [
            dict(zip(("channel_code", "unit_code", "stage_code", "outcome_code"), key, strict=True))
            | {"count": round(count)}
            for key, count in sorted(units.units.items())
        ]
        if units
        else [],
        "left_out": {name: round(count) for name, count in units.left_out.items()} if units else {},
        "named_by_filters": round(units.named) if units else 0,
        "problems": [str(problem) for problem in answer.problems],
    }
