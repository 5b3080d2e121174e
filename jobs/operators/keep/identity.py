"""Identity of a lake: the operators that it was written for, and the ids of their keys.

A day that was written under two keys has two pseudonyms for one subscriber, and one that has an operator
under two ids has its traffic twice; neither shows. So both are remembered in observatory.json, which is
written before the first table is and read before any other: meta.run, the other place that names what belongs
together, has a row only once a stage has finished, and goes when a lake is renewed.

A source is remembered by its id and a hash of its URL, which may hold a password. Keys are compared in
jobs/operators/keep/lake_keys.py.
"""

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.store.lake import Lake
from jobs.base.store.record import digest_text
from jobs.operators.keep import lake_keys
from jobs.operators.keep.lake_keys import known_operators


def admit_operators(lake: Lake, settings: Observatory, operators: list[Operator], has_silver: bool) -> None:
    """Refuse a run that would mix keys or operators, as refuse_others() does; then remember the operators of
    the run.

    Args:
        has_silver: it makes pseudonyms.
    """
    lake.refuse_other_form()
    refuse_others(lake, settings)
    known = known_operators(lake)
    now = dict(known)
    for each in operators:
        before = known.get(each.id, {"sources": []})
        keys = lake_keys.describe_keys(settings, each.id) if has_silver else lake_keys.keys_of(before)
        sources = sorted({*before["sources"], *source_hashes(each)})
        urls = {
            **before.get("source_urls", {}),
            **{source.id: digest_text(source.url) for source in each.source},
        }
        now_known = {"name": each.name, "keys": keys, "sources": sources, "source_urls": urls}
        now[each.id] = {**before, **now_known}
    if now != known:
        lake.add_notes({"operators": now})


def refuse_others(lake: Lake, settings: Observatory, needs_key: bool = True) -> None:
    """Raise ObservatoryError, with what to do, where an operator of the lake has another key now, or another
    id.

    Args:
        needs_key: a key that is none is an error, too; a pull makes no pseudonyms and leaves that to runs.
    """
    wrong = find_renamed(lake, settings) + renamed_sources(lake, settings)
    if needs_key or lake_keys.is_key_usable(settings):
        wrong += lake_keys.other_keys(lake, settings)
    if wrong:
        raise ObservatoryError("\n".join(wrong))


def find_renamed(lake: Lake, settings: Observatory) -> list[str]:
    """A line for each operator of the settings that is new to the lake, and has the name or a source of one
    of the lake's that the settings no longer have."""
    known = known_operators(lake)
    has = {each.id for each in settings.operator}
    wrong = []
    for each in settings.operator:
        for operator_id, before in known.items() if each.id not in known else ():
            reads = set(before["sources"]) & source_hashes(each)
            if operator_id in has or not (reads or before["name"] == each.name):
                continue
            same = "reads the logs" if reads else "has the name"
            wrong.append(
                f"[operator] '{each.id}' {same} of operator '{operator_id}', which this lake has and the"
                " settings no longer have: an operator keeps its id, or its traffic counts twice. Set id ="
                f" \"{operator_id}\" again; to begin anew under the id '{each.id}' name another folder as"
                " [lake] root. An operator that is another one has a name and sources of its own"
            )
    return wrong


def renamed_sources(lake: Lake, settings: Observatory) -> list[str]:
    """A line for each source that reads the logs of another source of its operator, which reads them no
    longer."""
    known = known_operators(lake)
    wrong = []
    for operator in settings.operator:
        before = known.get(operator.id, {}).get("source_urls", {})
        now = {source.id: digest_text(source.url) for source in operator.source}
        pairs = [(source, other) for source, url in now.items() for other in before if before[other] == url]
        wrong += [
            f"[operator] '{operator.id}' source '{source}' reads the logs of source '{other}', which reads"
            " them no longer: a source keeps its id, or its lines count twice. Set id ="
            f' "{other}" again. To give it another id all the same, run `observatory renew --anew`: then'
            " the lake is computed from what the url holds, and not from what was landed before"
            for source, other in pairs
            if before.get(source) != now[source] and now.get(other) != now[source]
        ]
    return wrong


def other_logs(lake: Lake, settings: Observatory) -> list[str]:
    """A line for each operator of the lake whose settings name none of the logs that the lake has of it."""
    known = known_operators(lake)
    return [
        f"operator '{each.id}': the lake {lake.root} has this operator from other logs than these settings"
        " name. If these are logs of another operator, stop: they would count as one. Give that operator"
        " another id, or its settings file another [lake] root"
        for each in settings.operator
        if (before := set(known.get(each.id, {}).get("sources", ())))
        if each.source and not before & source_hashes(each)
    ]


def source_hashes(operator: Operator) -> set[str]:
    return {digest_text(each.url) for each in operator.source}
