"""Broken records of every kind, each made from a good one under a key of its own.

A broken record never takes a good one's place, so that the planted business figures are those of
the good records alone. All of them must end in quarantine. Values that are merely odd (an unknown
event name, an unreadable optional value) are planted with the good records, because they load.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestration.demo.writer import Column

# Stands for bytes that are wrong in UTF-8 and in GB18030; replaced after encoding.
BAD_MARK = b"@@undecodable@@"
BAD_BYTES = b"\xff\xfe"


@dataclass(frozen=True)
class Fault:
    """A kind of broken record: what it is called, and the reason that quarantine must give.

    `column` is set to `value` where given, which the unified layer finds; otherwise the shape of
    the record is broken, which landing finds.
    """

    code: str
    reason: str
    column: str | None = None
    value: str | None = None
    records: int = 1

    @property
    def stage(self) -> str:
        """Which layer quarantines the record: landing or unified."""
        return "landing" if self.column is None else "unified"


SHAPE_CSV = (
    Fault("short_row", "short_row"),
    Fault("long_row", "long_row"),
    Fault("undecodable_bytes", "undecodable_line"),
    Fault("repeated_header", "repeated_header"),
    Fault("footer", "short_row"),
)
SHAPE_JSON = (
    Fault("cut_off", "bad_json"),
    Fault("duplicate_member", "duplicate_member"),
    Fault("two_objects", "several_objects"),
    Fault("undecodable_bytes", "undecodable_line"),
    Fault("lone_surrogate", "lone_surrogate"),
    Fault("not_a_number", "number_not_finite"),
    Fault("not_an_object", "not_an_object"),
)


def missing(column: str, entity_column: str) -> tuple[Fault, ...]:
    """A required value that is empty or only says so."""
    return (
        Fault(f"empty_{column}", f"missing_{entity_column}", column, ""),
        Fault(f"placeholder_{column}", f"missing_{entity_column}", column, "null"),
    )


def empty(column: str, entity_column: str) -> tuple[Fault, ...]:
    """A required value that is empty."""
    return (Fault(f"empty_{column}", f"missing_{entity_column}", column, ""),)


def bad_money(column: str, entity_column: str) -> tuple[Fault, ...]:
    """Money that is no plain decimal number."""
    values = ("1e3", "1,234.00", "￥5", "12.34567", "NaN", "+8.00")
    return tuple(
        Fault(f"money_{name}_{column}", f"unreadable_{entity_column}", column, value)
        for name, value in zip(
            ("exponent", "separator", "sign", "digits", "nan", "plus"), values, strict=True
        )
    )


def bad_moment(column: str, entity_column: str, past: str, future: str) -> tuple[Fault, ...]:
    """Moments that cannot be read or lie where no record can be, in the feed's format."""
    return (
        Fault(f"unreadable_{column}", f"unreadable_{entity_column}", column, "31.02.2026 25:61"),
        Fault(f"past_{column}", f"implausible_{entity_column}", column, past),
        Fault(f"future_{column}", f"implausible_{entity_column}", column, future),
    )


def bad_currency(column: str, entity_column: str = "currency") -> tuple[Fault, ...]:
    """A currency that is no three letters."""
    return (Fault(f"currency_{column}", f"unreadable_{entity_column}", column, "元"),)


def conflict(column: str, value: str) -> tuple[Fault, ...]:
    """Two records of one key that differ although neither claims to be newer."""
    return (Fault("conflicting_versions", "conflicting_versions", column, value, records=2),)


def break_csv(
    fault: Fault,
    columns: Sequence[Column],
    values: Sequence[str | None],
    key: str,
    fresh: str | None,
) -> list[str]:
    """Lines (one, or two for a conflict) of a broken CSV record; `values` are CSV fields."""
    names = [column.canonical for column in columns]
    fields = [value or "" for value in values]
    if fresh is not None:
        fields[names.index(key)] = fresh
    if fault.records == 2:
        changed = list(fields)
        changed[names.index(fault.column)] = fault.value
        return [",".join(fields), ",".join(changed)]
    if fault.column is not None:
        value = fault.value or ""
        fields[names.index(fault.column)] = f'"{value}"' if "," in value else value
    elif fault.code == "short_row":
        fields = fields[: len(fields) // 2]
    elif fault.code == "long_row":
        fields += ["surplus", "1"]
    elif fault.code == "undecodable_bytes":
        fields[-1] = BAD_MARK.decode()
    elif fault.code == "repeated_header":
        fields = [column.name for column in columns]
    elif fault.code == "footer":
        fields = ["合计"]
    return [",".join(fields)]


def break_json(
    fault: Fault,
    columns: Sequence[Column],
    values: Sequence[str | None],
    key: str,
    fresh: str | None,
) -> list[str]:
    """Lines (one, or two for a conflict) of a broken JSON record; `values` are member texts."""
    members = {
        column.name: json.loads(value) if column.bare else value
        for column, value in zip(columns, values, strict=True)
        if value is not None
    }
    if fresh is not None:
        members[key] = fresh
    good = _dump(members)
    name = next(iter(members))
    if fault.records == 2:
        return [good, _dump({**members, fault.column: fault.value})]
    if fault.column is not None:
        return [_dump({**members, fault.column: fault.value})]
    return [
        {
            "cut_off": good[: len(good) // 2],
            "duplicate_member": good[:-1] + f',"{name.upper()}":"again"}}',
            "two_objects": good + good,
            "undecodable_bytes": good[:-1] + f',"note":"{BAD_MARK.decode()}"}}',
            "lone_surrogate": good[:-1] + ',"note":"\\ud800"}',
            "not_a_number": good[:-1] + ',"score":NaN}',
            "not_an_object": f"[{good}]",
        }[fault.code]
    ]


def _dump(members: dict[str, object]) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))
