"""Records of the contract, made by hand: who did what, when, with which identifiers on it."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import datetime, timedelta

START = datetime(2018, 1, 1)

# (type, token) or (type, token, scope)
Identifier = tuple[str, ...]


def moment(day: float) -> datetime:
    """The moment `day` days after the first of January 2018, UTC."""
    return START + timedelta(days=day)


def phone(token: str) -> Identifier:
    return ("phone", token)


def email(token: str) -> Identifier:
    return ("email", token)


def member(token: str) -> Identifier:
    return ("member_id", token, "club")


def crm(token: str) -> Identifier:
    return ("crm_id", token, "crm")


def card(token: str) -> Identifier:
    return ("payment_token", token, "till")


def device(token: str) -> Identifier:
    return ("device_id", token, "ios")


def cookie(token: str) -> Identifier:
    return ("anonymous_id", token, "site")


class Records:
    """Records by entity. Each has the source system `shop` and a key of its own."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, str]]] = defaultdict(list)

    def account(self, key: str, day: float, *ids: Identifier) -> None:
        self._add("account", key, ids, registered_at=_text(day))

    def order(
        self, key: str, day: float, *ids: Identifier, account: str | None = None, paid: str = "10"
    ) -> None:
        self._add(
            *("order_header", key, ids),
            account_ref=account, ordered_at=_text(day), status="paid", paid_amount=paid, currency="CNY",
        )  # fmt: skip

    def event(self, key: str, day: float, *ids: Identifier, account: str | None = None) -> None:
        self._add(
            "event", key, ids, account_ref=account, event_at=_text(day), event_name="page_view"
        )

    def touch(self, key: str, day: float, *ids: Identifier, account: str | None = None) -> None:
        self._add(
            *("touch", key, ids),
            account_ref=account, touched_at=_text(day), touch_kind="sent", channel="sms",
        )  # fmt: skip

    def points(self, key: str, day: float, account: str, amount: str, cash_value: str) -> None:
        self._add(
            *("benefit", key, ()),
            account_ref=account, entry_at=_text(day), benefit_kind="points", entry_kind="earn",
            amount=amount, cash_value=cash_value,
        )  # fmt: skip

    def link(self, key: str, day: float, action: str, left: Identifier, right: Identifier) -> None:
        sides = {
            f"{side}_{part}": value
            for side, given in (("left", left), ("right", right))
            for part, value in zip(("type", "value", "scope"), given, strict=False)
        }
        self._add("identity_link", key, (), link_at=_text(day), action=action, **sides)

    def _add(
        self, entity: str, key: str, ids: tuple[Identifier, ...], **columns: str | None
    ) -> None:
        row = {"source_system": "shop", "source_record_id": key}
        row |= {name: value for name, value in columns.items() if value is not None}
        if ids:
            row["ids"] = json.dumps(
                [
                    {"id_type": t, "id_scope": scope[0] if scope else "", "id_value": value}
                    for t, value, *scope in sorted(set(ids))
                ]
            )
        self.rows[entity].append(row)

    def spread(self, seed: int, files: int) -> list[dict[str, list[dict[str, str]]]]:
        """The same records in `files` deliveries, each record in any of them, in any order."""
        draw = random.Random(seed)
        deliveries = [defaultdict(list) for _ in range(files)]
        for entity, rows in self.rows.items():
            for row in draw.sample(rows, len(rows)):
                draw.choice(deliveries)[entity].append(row)
        return deliveries


def rule(action: str, left: Identifier, right: Identifier) -> dict[str, str]:
    """A row of the manual links as landing leaves it."""
    sides = {
        f"{side}_{part}": value
        for side, given in (("left", left), ("right", right))
        for part, value in zip(("type", "token", "scope"), (*given, "")[:3], strict=True)
    }
    return {"action": action, "author": "tests", "reason": "known"} | sides


def _text(day: float) -> str:
    return moment(day).strftime("%Y-%m-%d %H:%M:%S")
