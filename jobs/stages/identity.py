"""Whose a lake is: the operators that it was written for, and the ids of their keys.

A lake that was written under two keys has two pseudonyms for one subscriber, and one that has an operator
under two ids has its traffic twice; neither shows. So both are remembered in observatory.json, which is
written before the first table is and read before any other: meta.run, the other place that names what belongs
together, has a row only once a stage has finished, and goes when a lake is renewed.

A source is remembered by its id and a hash of its URL, which may hold a password.
"""

import hashlib
from typing import Any

from jobs.core.errors import ObservatoryError
from jobs.core.key_names import key_setting
from jobs.engine.lake import Lake
from jobs.protect.pseudonym_keys import derived_key_id, has_key, master_key
from jobs.settings.config import Observatory
from jobs.settings.operator import Operator

SILVER = "silver.transmission"
KnownOperators = dict[str, dict[str, Any]]


def admit_operators(lake: Lake, settings: Observatory, operators: list[Operator], has_silver: bool) -> None:
    """Refuse a run that would mix keys or operators, as refuse_others() does; then remember the operators of
    the run. has_silver: it makes pseudonyms."""
    lake.refuse_other_form()
    refuse_others(lake, settings)
    known = known_operators(lake)
    now = dict(known)
    for each in operators:
        before = known.get(each.id, {"key_ids": [], "sources": []})
        keys = [derived_key_id(each.id)] if has_silver else before["key_ids"]
        sources = sorted({*before["sources"], *source_hashes(each)})
        urls = {
            **before.get("source_urls", {}),
            **{source.id: url_hash(source.url) for source in each.source},
        }
        about = {"name": each.name, "key_ids": keys, "sources": sources, "source_urls": urls}
        now[each.id] = {**before, **about}
    if now != known:
        lake.add_notes({"operators": now})


def refuse_others(lake: Lake, settings: Observatory, needs_key: bool = True) -> None:
    """Raise ObservatoryError, with what to do, where an operator of the lake has another key now, or another
    id. needs_key: a key that is none is an error, too; a pull makes no pseudonyms and leaves that to runs."""
    wrong = find_renamed(lake, settings) + renamed_sources(lake, settings)
    if needs_key or is_key_usable():
        wrong += other_keys(lake, settings)
    if wrong:
        raise ObservatoryError("\n".join(wrong))


def is_key_usable() -> bool:
    try:
        master_key()
    except ObservatoryError:
        return False
    return True


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
        now = {source.id: url_hash(source.url) for source in operator.source}
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


def other_keys(lake: Lake, settings: Observatory) -> list[str]:
    """A line for each operator whose pseudonyms in the lake are under another key than it has now; none where
    no key is at hand."""
    if not has_key():
        return []
    known = known_operators(lake)
    wrong = []
    for each in settings.operator:
        before = known.get(each.id, {"key_ids": []})["key_ids"]
        now = derived_key_id(each.id)
        if before and before != [now]:
            wrong.append(
                f"{lake.root}: the pseudonyms of operator '{each.id}' are under the key with the id"
                f" {' and '.join(before)}, and the key now has the id {now}: the new pseudonyms would match"
                f" none in the lake, and senders and campaigns would count twice. The key comes from"
                f" {key_setting()}: name the former key there. If it is lost, or must not be used any more,"
                " `observatory renew` computes silver and gold anew from landing"
                " under the new key; days that landing no longer holds are then lost"
            )
    return wrong


def known_operators(lake: Lake) -> KnownOperators:
    """By id each operator that the lake was written for: its name, the ids of its keys, and its sources."""
    found: KnownOperators = lake.read_notes().get("operators", {})
    return found


def source_hashes(operator: Operator) -> set[str]:
    return {url_hash(each.url) for each in operator.source}


def url_hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]
