"""The golden cases as files of the channel `direct`: one person each, named after the case."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

AS_OF = date(2026, 6, 30)
VARS = (
    f"{{as_of: {AS_OF}, channels: {{direct: [account, identity_link, event, order_header, order_line,"
    " refund, product, spend, touch, campaign, benefit, feedback, referral, subscription,"
    " privacy_event]}}"
)
DAY = timedelta(days=1)


class _Files:
    """Records by entity, numbered as they come."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, object]]] = {}

    def add(self, entity: str, key: str | None = None, **values: object) -> str:
        """Add a record; times without an offset are of the business time zone (+08:00)."""
        rows = self.records.setdefault(entity, [])
        key = key or f"{entity}-{len(rows)}"
        stamped = {
            name: f"{value.isoformat(sep=' ')}+08:00" if isinstance(value, datetime) else value
            for name, value in values.items()
        }
        rows.append({"source_system": "shop", "source_record_id": key, **stamped})
        return key

    def account(self, name: str, registered: datetime | None = None, **values: object) -> None:
        self.add("account", name, registered_at=registered, account_kind="member", **values)

    def order(self, who: str, at: datetime, amount: str = "100", **values: object) -> str:
        values = {"status": "paid", "currency": "CNY", "business_type": "ecommerce"} | values
        return self.add(
            "order_header", account_ref=who, ordered_at=at, paid_amount=amount, **values
        )

    def visits(self, who: str, first: date, offsets: list[int]) -> None:
        for n in offsets:
            self.add(
                "event", account_ref=who, event_at=_noon(first + DAY * n), event_name="page_view"
            )


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)


def _case_files() -> _Files:
    files = _Files()
    day = date(2025, 1, 1)

    cookie = [{"id_type": "anonymous_id", "id_scope": "web", "id_value": "visitor-1"}]
    files.add(
        "event", "visitor", event_at=_noon(date(2026, 1, 1)), event_name="page_view", ids=cookie
    )

    files.account("same_minute", datetime(2026, 6, 1, 10, 0, 5))
    files.order("same_minute", datetime(2026, 6, 1, 10, 0, 40))

    files.account("one_order_ecommerce", None, created_at=_noon(day))
    files.order("one_order_ecommerce", _noon(day))
    files.account("one_order_food", None, created_at=_noon(day))
    files.order("one_order_food", _noon(day), business_type="food")

    files.account("refunded_on_day_10", None, created_at=_noon(day))
    order = files.order("refunded_on_day_10", _noon(day))
    files.add(
        "refund", order_ref=order, refunded_at=_noon(day + 10 * DAY), amount="100", currency="CNY"
    )

    files.account("back_on_day_230", _noon(day))
    files.order("back_on_day_230", _noon(day))
    files.order("back_on_day_230", _noon(day + 230 * DAY))

    files.account("rich_then_silent", _noon(day))
    files.order("rich_then_silent", _noon(day), "90000")
    files.order("rich_then_silent", _noon(day + DAY), "90000")
    for n in range(3):
        files.account(f"rich_{n}", _noon(day))
        files.order(f"rich_{n}", _noon(day), "80000")

    phone = [{"id_type": "phone", "id_value": "13817294056"}]
    union = [{"id_type": "wx_unionid", "id_scope": "open", "id_value": "union-of-merged"}]
    files.account("merged_a", _noon(day), ids=union)
    files.order("merged_a", _noon(day))
    files.account("merged_b", _noon(day + 60 * DAY), ids=phone, source_system="till")
    files.order("merged_b", _noon(day + 60 * DAY), source_system="till")
    files.add(
        "identity_link", link_at=_noon(day + 100 * DAY), action="bind",
        left_type="phone", left_value="13817294056",
        right_type="wx_unionid", right_scope="open", right_value="union-of-merged",
    )  # fmt: skip
    files.account("refers_first", _noon(day))
    files.account("referred", _noon(day + 5 * DAY))
    files.order("referred", _noon(day + 6 * DAY))
    files.add(
        "referral", referrer_ref="refers_first", referee_ref="referred", invited_at=_noon(day + DAY)
    )
    files.order("refers_first", _noon(day + 20 * DAY))

    files.account("activity_drop", _noon(day))
    files.visits("activity_drop", day, [0, 4, 8, 12, 16, 20, 24, 26, 30, 40, 50])

    files.account("renews_after_3_days", _noon(day))
    files.order("renews_after_3_days", _noon(day), business_type="saas")
    files.visits("renews_after_3_days", day, list(range(0, 545, 7)))
    for start, end in ((0, 100), (103, 200), (210, None)):
        files.add(
            "subscription", account_ref="renews_after_3_days", plan="team",
            status="active" if end is None else "ended", start_at=_noon(day + start * DAY),
            ended_at=_noon(day + end * DAY) if end else None,
            current_period_end=_noon(day + (end or 1000) * DAY),
        )  # fmt: skip

    files.account("changes_business", _noon(day))
    files.order("changes_business", _noon(day), business_type="ecommerce")
    files.order("changes_business", _noon(day + 10 * DAY), business_type="restaurant")

    files.account("before_midnight", None, created_at=datetime(2025, 3, 1, 23, 59, 59))
    files.add(
        "order_header", account_ref="before_midnight", ordered_at="2025-03-01T15:59:59Z",
        status="paid", paid_amount="100", currency="CNY",
    )  # fmt: skip
    files.account("after_midnight", None, created_at=datetime(2025, 3, 2, 0, 0, 0))
    files.add(
        "order_header", account_ref="after_midnight", ordered_at="2025-03-01T16:00:00Z",
        status="paid", paid_amount="100", currency="CNY",
    )  # fmt: skip

    files.account("promoter", _noon(day))
    for n in (0, 10, 20):
        files.order("promoter", _noon(day + n * DAY))
    for n, score in ((30, "9"), (40, "8")):
        files.add(
            "feedback", account_ref="promoter", feedback_at=_noon(day + n * DAY),
            feedback_kind="nps", score=score, scale_max="10",
        )  # fmt: skip

    files.account("writer", _noon(day))
    files.add(
        "feedback", account_ref="writer", feedback_at=_noon(day + 5 * DAY), feedback_kind="review"
    )
    files.order("writer", _noon(day + 10 * DAY))

    for name, days in (("every_ten_days", (0, 10, 20, 30)), ("every_100_days", (0, 100, 200, 300))):
        files.account(name, _noon(day))
        for n in days:
            files.order(name, _noon(day + n * DAY))

    files.add("product", "laser", name="Laser", service_cycle_days="30")
    files.account("treated_every_30_days", _noon(day))
    order = files.order("treated_every_30_days", _noon(day), business_type="med_aesthetics")
    files.add("order_line", order_ref=order, product_ref="laser", quantity="1", line_paid="100")

    files.account("erased_on_day_40", _noon(day))
    files.order("erased_on_day_40", _noon(day))
    files.add(
        "privacy_event", account_ref="erased_on_day_40", action="erase",
        event_at=_noon(day + 40 * DAY),
    )  # fmt: skip
    files.order("erased_on_day_40", _noon(day + 50 * DAY))

    files.account("a_test", _noon(day), is_test="true")
    files.order("a_test", _noon(day))
    return files


def write(folder: Path) -> None:
    """Write the cases as `<folder>/<entity>/cases.jsonl`, one record a line."""
    for entity, records in _case_files().records.items():
        place = folder / entity
        place.mkdir(parents=True)
        kept = ({k: v for k, v in record.items() if v is not None} for record in records)
        (place / "cases.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in kept))
