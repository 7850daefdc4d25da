"""Explanations as text: the answers of `orchestration.identity.explain`, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Answer = dict[str, Any]
_EVER = "1900-01-01 00:00:00"


def write_answer(answer: Answer, most: int | None) -> str:
    """The screen; `most` is how many lines a list may have (None: all of them)."""
    lines = _SCREENS[answer["question"]](answer, most)
    return "\n".join(_printable(line) for line in lines)


def _pair(answer: Answer, most: int | None) -> list[str]:
    left, right = answer["asked"]
    names = f"{_name(left)} and {_name(right)}"
    if answer["is_one_customer"]:
        path = answer["path"]
        return [
            f"{names} are one customer: {answer['customers'][0]}",
            *_section("Weakest link", [_link(answer["weakest"])], most),
            *_section(f"The whole path, {_count(len(path), 'link')}", map(_link, path), None),
        ]
    lines = [f"{names} are not one customer."]
    for end in (left, right):
        lines.append(f"{_name(end)}: {end['customer_id'] or _nobody(end)}")
    stated = [
        [
            f"{_name(row['a'])} -- {_name(row['b'])}",
            f"    {row['source_system']}: {row['action']}{_when(row['stated_at'], None)}",
        ]
        for row in answer["separated_by"]
    ]
    for end in (left, right):
        lines += _section(f"{_name(end)} in turn", map(_turn, end["periods"]), most)
    lines += _section("Kept apart by", stated, most)
    shared = [[_name(end)] for end in answer["shared_in_turn"]]
    lines += _section("Each one's for a time", shared, most)
    rejected = [_link(link) for link in answer["rejected"]]
    if rejected:
        return lines + _section("Rejected evidence between them, strongest first", rejected, most)
    return [*lines, "", "There is no rejected evidence between them."]


def _one(answer: Answer, most: int | None) -> list[str]:
    lines = [_event(answer["became"])] if answer["became"] else []
    if answer["customer_id"] is None:
        return lines
    kind = " (anonymous)" if answer["is_anonymous"] else ""
    lines.append(
        f"{answer['customer_id']}{kind}: {_count(answer['account_count'], 'account')}, "
        f"{_count(answer['identifier_count'], 'identifier')}"
        f"{_when(answer['first_seen_at'], answer['last_seen_at'])}"
    )
    nodes, links, bridges = answer["identifiers"], answer["links"], answer["bridges"]
    if len(answer["history"]) > 1:
        lines += _section("History", [[_step(event)] for event in answer["history"]], most)
    lines += _section("Former ids", [[_event(event)] for event in answer["former_ids"]], most)
    lines += _section(f"Identifiers ({len(nodes)})", map(_node, nodes), most)
    lines += _section(f"Links ({len(links)}), weakest first", map(_link, links), most)
    title = f"Without one of these it falls apart ({len(bridges)}), worst first"
    return lines + _section(title, map(_bridge, bridges), most)


def _nobodys(answer: Answer, most: int | None) -> list[str]:
    asked = answer["asked"]
    rejected = [_link(link) for link in answer["rejected"]]
    return [
        f"{_name(asked)}: {_nobody(asked)}",
        *_section("In turn", map(_turn, asked["periods"]), most),
        *_section("Rejected evidence, strongest first", rejected, most),
    ]


def _review(answer: Answer, _: int | None) -> list[str]:
    if not answer["bridges"]:
        return ["No customer hangs on one link or one value."]
    lines = ["Links and values that alone hold a customer together, worst first"]
    for bridge in answer["bridges"]:
        first, *rest = _bridge(bridge)
        lines += [f"{bridge['review_rank']:>5}  {bridge['customer_id']}  {first}"]
        lines += [f"       {line}" for line in rest]
    return lines


_SCREENS: dict[str, Callable[[Answer, int | None], list[str]]] = {
    "pair": _pair,
    "customer": _one,
    "nobody": _nobodys,
    "review": _review,
}


def _section(title: str, items: Any, most: int | None) -> list[str]:
    listed: Sequence[list[str]] = list(items)
    if not listed:
        return []
    lines = ["", title]
    for item in listed[:most]:
        lines += [f"  {line}" for line in item]
    if most is not None and len(listed) > most:
        lines.append(f"  ... and {len(listed) - most} more; --limit 0 shows all")
    return lines


def _link(link: Answer) -> list[str]:
    lines = [f"{_name(link['a'])} -- {_name(link['b'])}"]
    for item in link["evidence"]:
        because = f"; rejected: {item['reason']}" if item["reason"] else ""
        lines.append(
            f"    {item['source_system']} {item['rule']}: "
            f"{_count(item['record_count'], 'record')}"
            f"{_when(item['first_seen_at'], item['last_seen_at'])}{because}"
        )
    return lines


def _node(node: Answer) -> list[str]:
    how = "" if node["membership"] == "strong" else f", {node['membership']}"
    if node["valid_to"] or node["valid_from"] > _EVER:
        how += f", held {_span(node)}"
    return [
        f"{_name(node)}: {_count(node['record_count'], 'record')}"
        f"{_when(node['first_seen_at'], node['last_seen_at'])}{how}"
    ]


def _bridge(bridge: Answer) -> list[str]:
    other = bridge["other"]
    name = f"{_name(bridge['identifier'])}{f' -- {_name(other)}' if other else ''}"
    return [
        name,
        f"    {_size(bridge, 'side')} would leave {_size(bridge, 'rest')}",
        f"    {_count(bridge['link_count'], 'link')}, at best "
        f"{_count(bridge['record_count'], 'record')}"
        f"{_when(bridge['first_seen_at'], bridge['last_seen_at'])}: {bridge['evidence']}",
    ]


def _size(bridge: Answer, part: str) -> str:
    return (
        f"{_count(bridge[f'{part}_account_count'], 'account')} "
        f"({_count(bridge[f'{part}_strong_count'], 'strong identifier')})"
    )


def _turn(period: Answer) -> list[str]:
    return [f"{_span(period)}: {period['customer_id'] or 'nobody'}"]


def _span(period: Answer) -> str:
    first, last = period["valid_from"], period["valid_to"]
    since = f"from {first[:16]}" if first > _EVER else ""
    until = f"until {last[:16]}" if last else ""
    return f"{since} {until}".strip() or "ever since"


def _event(event: Answer) -> str:
    current = event["current_customer_id"]
    became = f"is {current} now" if current else "stands for nobody now"
    what = f"{event['event']}{_when(event['at'], None)}{_cause(event)}"
    return f"{event['customer_id']} {became}: {what}"


def _step(event: Answer) -> str:
    current = event["current_customer_id"]
    into = f" into {current}" if event["event"] == "merged" else ""
    return f"{event['at'][:10]}: {event['event']}{into}{_cause(event)}"


def _cause(event: Answer) -> str:
    cause = ""
    if event["a"]:
        cause = f", because of {_name(event['a'])} -- {_name(event['b'])}"
    if event["rule"]:
        cause += f" ({' '.join(filter(None, (event['source_system'], event['rule'])))})"
    return cause


def _name(end: Answer) -> str:
    raw = end.get("raw")
    is_token = end.get("id_type") != "account"
    return f"{end['identifier']} = {raw}" if raw is not None and is_token else end["identifier"]


def _nobody(end: Answer) -> str:
    return f"stands for nobody ({end['nobody_because']})"


def _when(first: str | None, last: str | None) -> str:
    days = sorted({moment[:10] for moment in (first, last) if moment})
    return f", {' to '.join(days)}" if days else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _printable(text: str) -> str:
    """Ids and raw values may hold anything; the terminal gets no control characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
