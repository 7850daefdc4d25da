"""A past day looked at from today is the run on what had happened by then: orders, payments, cancellations, refunds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rebuilt import Warehouse

MARTS = (
    "customer_lifecycle_intervals",
    "customer_lifecycle_intervals_adaptive",
    "customer_lifecycle_transitions",
    "customer_rfm",
)
PAST = date(2026, 3, 17)

# The demo's orders are paid at once and cancelled soon; here every fifth is paid up to 40 days late, every seventh is
# cancelled up to 60 days after it, and every refund comes up to 30 days later.
SPREAD = {
    "order_header": """
        select * replace (
            case when draw % 5 = 0 then ordered_at + to_days(cast(draw % 41 as integer)) else paid_at end as paid_at,
            case when draw % 7 = 0 then ordered_at + to_days(cast(draw % 61 as integer)) else cancelled_at end
                as cancelled_at,
            case when draw % 7 = 0 then 'cancelled' else status end as status
        ) from (select *, hash(source_record_id) % 100000 as draw from unified.unified_order_header)
    """,
    "refund": """
        select * replace (refunded_at + to_days(cast(draw % 31 as integer)) as refunded_at)
        from (select *, hash(source_record_id) % 100000 as draw from unified.unified_refund)
    """,
}


def _by(moment: str) -> str:
    return f"cast({moment} + interval 8 hour as date) <= date '{PAST}'"


# What a file would have said on that day. Who is who stays as it is known today.
KNOWN = {
    "order_header": f"""
        select * replace (
            case when {_by("paid_at")} then paid_at end as paid_at,
            case when {_by("cancelled_at")} then cancelled_at end as cancelled_at,
            case
                when status = 'cancelled' and {_by("cancelled_at")} then status
                when {_by("paid_at")} then 'paid'
                when status = 'cancelled' or paid_at is not null then 'created'
                else status
            end as status
        ) from unified.unified_order_header where {_by("ordered_at")}
    """,
    **{
        entity: f"select * from unified.unified_{entity} where {_by(moment)}"
        for entity, moment in {
            "refund": "refunded_at",
            "event": "event_at",
            "feedback": "feedback_at",
            "referral": "coalesce(invited_at, timestamp '1970-01-01')",
            "privacy_event": "event_at",
            "account": "coalesce(registered_at, created_at, timestamp '1970-01-01')",
        }.items()
    },
    "subscription": f"""
        select * replace (
            case when {_by("ended_at")} then ended_at end as ended_at,
            case when {_by("cancelled_at")} then cancelled_at end as cancelled_at,
            case when status in ('cancelled', 'ended') and not coalesce({_by("coalesce(ended_at, cancelled_at)")}, false)
                then 'active' else status end as status
        ) from unified.unified_subscription where {_by("start_at")}
    """,
}  # fmt: skip


def test_a_past_day_is_the_run_on_what_had_happened_by_then(
    demo_root: Path, manifest: dict, tmp_path: Path
) -> None:
    found, counts = [], []
    for name, changes in (("all", [SPREAD]), ("known", [SPREAD, KNOWN])):
        warehouse = Warehouse(demo_root, manifest, tmp_path / name, MARTS)
        warehouse.look_from(PAST)
        for change in changes:
            for entity, sql in change.items():
                warehouse.replace(f"unified.unified_{entity}", sql)
        changed = tuple(f"unified_{entity}" for entity in KNOWN)
        warehouse.rebuild(("int_core__as_of", *changed))
        found.append(warehouse.rows())
        counts.append(
            warehouse.connection.execute(
                "select count(*), count(valid_from_on), count(valid_to_on) from core.fct_order"
                f" where ordered_on <= date '{PAST}'"
            ).fetchone()
        )
        warehouse.connection.close()
    for mart in MARTS:
        assert found[0][mart] == found[1][mart], mart
        assert len(found[0][mart]) > 500
    # Orders were paid, cancelled and given back after that day.
    (orders, paid, ended), (known_orders, known_paid, known_ended) = counts
    assert orders == known_orders
    assert paid - known_paid > 5
    assert ended - known_ended > 5
