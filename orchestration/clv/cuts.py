"""What was known of customers on a day, and what came after it.

`day_changes` says of each customer's order day on which day what about it became known, so that
any day in the past can be seen as it was then: nothing that was learned later (an order, a refund,
a cancellation, a payment) is in it. A refund without an order has no order day and lowers what its
customer spent. An order without an exchange rate is an order of unknown value. Days are counted
from 1970-01-01.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orchestration.clv.history import Array, History
from orchestration.errors import UserError

Ints = NDArray[np.int64]
EPOCH = date(1970, 1, 1)
CHANGE_COLUMNS = (
    "customer_id", "order_day_on", "known_on", "order_delta", "net_sales_delta", "margin_delta",
)  # fmt: skip
PROSPECT_COLUMNS = (
    "customer_id", "acquisition_channel", "first_seen_on", "registered_on", "relationship_type",
)  # fmt: skip
SUBSCRIPTION_COLUMNS = (
    "customer_id", "status", "start_on", "trial_end_on", "current_period_end_on", "cancelled_on",
    "ended_on", "mrr_amount", "is_test",
)  # fmt: skip
UNKNOWN_DAY = -1
NEW_DAYS, RECENT_DAYS = 30, 90
_SAMPLE = 20_000
# Three counts of days in one integer.
_DAYS = 1 << 17

_STATE = """
    select
        k,
        order_day,
        case when count(*) = count(value) then sum(value) end as value,
        case when count(*) = count(margin) then sum(margin) end as margin
    from change
    where known <= {known} and order_day > {after} and order_day <= {until}
    group by k, order_day
    having sum(orders) > 0
"""
_WITHOUT_ORDER = """
    union all
    select k, null as order_day, value, margin
    from change
    where known <= {known} and known > {after} and order_day is null
"""
# Contracts, paid from a day until another, if any. Where nothing says until when, once is all that
# was paid for sure. A pause is no end: who does not resume in time is late like anybody. An end
# is known from the day on which it was said to come.
_TERMS = """
    insert into term
    with
    given as (
        select *, greatest(start_on, trial_end_on) as paid_from
        from given_subscription
        inner join person using (customer_id)
        inner join given_prospect using (customer_id)
        where not is_test and relationship_type = 'contractual'
            and status in ('active', 'past_due', 'paused', 'cancelled', 'ended')
    ),
    paid as (
        select *, case when ended_on is not null or status in ('paused', 'cancelled', 'ended')
            then coalesce(ended_on, current_period_end_on, cancelled_on, paid_from + 1)
        end as paid_until
        from given
    )
    select
        k,
        mrr_amount,
        start_on,
        paid_from,
        paid_until,
        case when status <> 'paused' then paid_until end as ends_on,
        least(ends_on, coalesce(cancelled_on, ended_on, date '1970-01-01' + {as_of})) as known_on
    from paid
"""
# What a customer pays, month by month since the first one, where no orders say so: every month paid
# is an order day of the recurring revenue in force.
_RENEWALS = """
    insert into change
    with
    month as (
        select
            k,
            unnest(generate_series(
                0, datediff('month', first_on, date '1970-01-01' + {as_of})
            )) as months,
            cast(first_on + to_months(cast(months as integer)) as date) as due_on
        from (select k, min(paid_from) as first_on from term group by k)
    )
    select
        k,
        due_on - date '1970-01-01' as due,
        due,
        1,
        case when count(*) = count(mrr_amount) then sum(mrr_amount) end,
        null
    from month
    inner join term using (k)
    where due_on - date '1970-01-01' <= {as_of}
        and paid_from <= due_on and (paid_until is null or due_on < paid_until)
        and k not in (
            select k from change where order_day is not null
            group by k, order_day having sum(orders) > 0
        )
    group by k, due_on
"""
_EVER, _NEVER = -(10**6), 10**6


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(number: int) -> date:
    """The inverse of `day_number`."""
    return EPOCH + timedelta(days=int(number))


@dataclass(frozen=True, eq=False)
class Cut:
    """Customers with a valid order as known on day `on`, in the order of their ids.

    Arrays of shape (customers,): `k` is the position in `Facts.ids`; `x` repeat order days, `t_x`
    days from first to last, `T` days from first to the cut; `n` order days, `value_days` of them of
    known value, which is `value` in all and `z` on the mean; `margin` is summed over the
    `margin_days` whose cost was known, and `margin_value` the value of these. Last window: the
    orders and value of the last `window` days. A contract is known to end in `ends_in` days: at
    most 0 where it has ended, beyond all horizons where nothing is known of an end.
    """

    on: int
    window: int
    k: Ints
    x: Ints
    t_x: Ints
    T: Ints
    n: Ints
    value_days: Ints
    value: Array
    margin: Array
    margin_value: Array
    margin_days: Ints
    window_orders: Ints
    window_value: Array
    new_orders: Ints
    recent_orders: Ints
    ends_in: Ints

    def __len__(self) -> int:
        return len(self.k)

    @property
    def z(self) -> Array:
        """Mean value of an order day, at most 0 where refunds ate it, 0 where none is known."""
        return self.value / np.maximum(self.value_days, 1)

    @property
    def since_last(self) -> Ints:
        return self.T - self.t_x

    @cached_property
    def _rows(self) -> tuple[Ints, NDArray[np.intp], Ints]:
        keys = (self.x * _DAYS + self.t_x) * _DAYS + self.T
        return np.unique(keys, return_inverse=True, return_counts=True)

    @cached_property
    def statistics(self) -> History:
        """Distinct (x, t_x, T) with how many customers share it."""
        keys, _, customers = self._rows
        return _history(keys, customers)

    @property
    def row(self) -> NDArray[np.intp]:
        """Which row of `statistics` each customer has."""
        return self._rows[1]

    @property
    def sample(self) -> History:
        """Every so many of `statistics` where they are many: rows are in order, so a sample has of
        everything. Whole weeks instead of days would be as few, but shift totals by 5 %."""
        return self.statistics.where(slice(None, None, -(-len(self.statistics) // _SAMPLE) or 1))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What customers of a cut then did: order days and their value, and days to the first one
    (infinite where there was none), shape (customers,)."""

    orders: Array
    value: Array
    first: Array


class Facts:
    """The two feature tables in a DuckDB of their own, and subscriptions if they are given, which
    are the renewals of customers with a contract and no orders.

    `ids` are all customers in order; the arrays of shape (ids,) say when each was first seen (-1:
    unknown), by which `channels`[`channel`] it came, its business type and whether it has a
    contract.
    """

    def __init__(
        self, day_changes: Any, prospects: Any, as_of: date, subscriptions: Any = None
    ) -> None:
        self.as_of = day_number(as_of)
        self._con = duckdb.connect()
        self._con.register("given_change", _arrow(day_changes, CHANGE_COLUMNS, "day_changes"))
        self._con.register("given_prospect", _arrow(prospects, PROSPECT_COLUMNS, "prospects"))
        self._con.execute(
            """
            create temp table person as
            select customer_id, row_number() over (order by customer_id) - 1 as k
            from (
                select customer_id from given_prospect
                union
                select customer_id from given_change
            )
            """
        )
        self._con.execute(
            f"""
            create temp table change as
            select
                person.k,
                given_change.order_day_on - date '1970-01-01' as order_day,
                given_change.known_on - date '1970-01-01' as known,
                given_change.order_delta as orders,
                cast(given_change.net_sales_delta as decimal(18, 4)) as value,
                cast(given_change.margin_delta as decimal(18, 4)) as margin
            from given_change
            inner join person using (customer_id)
            where given_change.known_on - date '1970-01-01' <= {self.as_of}
            """
        )
        self._con.execute(
            """
            create temp table term (
                k bigint, mrr_amount decimal(18, 4), start_on date, paid_from date,
                paid_until date, ends_on date, known_on date
            )
            """
        )
        self._given: list[tuple[str, Sequence[str]]] = [
            ("given_change", CHANGE_COLUMNS), ("given_prospect", PROSPECT_COLUMNS),
        ]  # fmt: skip
        if subscriptions is not None:
            given = _arrow(subscriptions, SUBSCRIPTION_COLUMNS, "subscriptions")
            self._con.register("given_subscription", given)
            self._given.append(("given_subscription", SUBSCRIPTION_COLUMNS))
            self._con.execute(_TERMS.format(as_of=self.as_of))
            self._con.execute(_RENEWALS.format(as_of=self.as_of))
        people = self._con.execute(
            f"""
            select
                person.customer_id,
                coalesce(acquisition_channel, 'unknown') as channel,
                coalesce(
                    coalesce(first_seen_on, registered_on) - date '1970-01-01', {UNKNOWN_DAY}
                ) as seen,
                coalesce(relationship_type = 'contractual', false) as is_contractual
            from person
            left join given_prospect using (customer_id)
            order by person.k
            """
        ).to_arrow_table()
        self.ids: pa.ChunkedArray = people["customer_id"]
        if len(self.ids) != self._con.execute("select count(*) from person").fetchone()[0]:
            raise UserError("prospects has a customer twice; give it one row per customer.")
        self.seen: Ints = people["seen"].to_numpy().astype(np.int64)
        self.channels, self.channel = _codes(people["channel"])
        self.is_contractual = people["is_contractual"].to_numpy(zero_copy_only=False).astype(bool)

    def content_hash(self) -> str:
        """sha256 over what was given, whatever the order of its rows."""
        found = hashlib.sha256(str(self.as_of).encode())
        for table, columns in self._given:
            text = " || '|' || ".join(f"coalesce(cast({name} as varchar), '')" for name in columns)
            known = f" where known_on - date '1970-01-01' <= {self.as_of}" * ("known_on" in columns)
            row = self._con.execute(
                f"select count(*), sum(md5_number_lower({text})) from {table}{known}"
            ).fetchone()
            found.update(repr(row).encode())
        return found.hexdigest()

    @cached_property
    def first_day(self) -> int | None:
        """The first order day that is valid as of now."""
        state = _STATE.format(known=self.as_of, after=_EVER, until=self.as_of)
        return self._con.execute(f"select min(order_day) from ({state})").fetchone()[0]

    def cut(self, on: int, window: int = 365, contractual: bool = False) -> Cut:
        """Customers without (or with) a contract as known on day `on`."""
        state = (_STATE + _WITHOUT_ORDER).format(known=on, after=_EVER, until=on)
        found = self._numbers(
            f"""
            select
                k,
                count(order_day) as n,
                count(value) filter (order_day is not null) as value_days,
                min(order_day) as first_day,
                max(order_day) as last_day,
                coalesce(sum(value), 0) as value,
                coalesce(sum(margin), 0) as margin,
                coalesce(sum(value) filter (margin is not null), 0) as margin_value,
                count(margin) filter (order_day is not null) as margin_days,
                count(*) filter (order_day > {on - window}) as window_orders,
                coalesce(sum(value) filter (order_day > {on - window}), 0) as window_value,
                count(*) filter (order_day > {on - NEW_DAYS}) as new_orders,
                count(*) filter (order_day > {on - RECENT_DAYS}) as recent_orders
            from ({state})
            group by k
            having count(order_day) > 0
            order by k
            """
        )
        kept = self.is_contractual[found["k"].astype(np.int64)] == contractual
        found = {name: column[kept] for name, column in found.items()}
        whole = {
            name: found[name].astype(np.int64)
            for name in (
                "k",
                "n",
                "value_days",
                "margin_days",
                "window_orders",
                "new_orders",
                "recent_orders",
            )
        }
        first, last = found["first_day"].astype(np.int64), found["last_day"].astype(np.int64)
        money = {
            name: found[name].astype(float)
            for name in ("value", "margin", "margin_value", "window_value")
        }
        ends = self._ends(on)[whole["k"]]
        return Cut(
            on, window, x=whole["n"] - 1, t_x=last - first, T=on - first,
            ends_in=np.where(ends > last, ends, _NEVER) - on, **whole, **money,
        )  # fmt: skip

    def outcome(self, cut: Cut, days: int) -> Outcome:
        """The `days` after a cut, as known at their end."""
        end = cut.on + days
        state = (_STATE + _WITHOUT_ORDER).format(known=end, after=cut.on, until=end)
        found = self._numbers(
            f"""
            select
                k,
                count(order_day) as orders,
                coalesce(sum(value), 0) as value,
                coalesce(min(order_day), {10**6}) as first_day
            from ({state})
            group by k
            order by k
            """
        )
        at = found["k"].astype(np.int64)
        orders, value = np.zeros(len(self.ids)), np.zeros(len(self.ids))
        first = np.full(len(self.ids), np.inf)
        orders[at], value[at] = found["orders"], found["value"]
        first[at] = np.where(found["orders"] > 0, found["first_day"] - cut.on, np.inf)
        return Outcome(orders[cut.k], value[cut.k], first[cut.k])

    def orders_between(self, after: int, until: int) -> Ints:
        """Order days of everybody after a day, up to another, as known now; shape (ids,)."""
        state = _STATE.format(known=self.as_of, after=after, until=until)
        found = self._numbers(f"select k, count(*) as orders from ({state}) group by k order by k")
        orders = np.zeros(len(self.ids), np.int64)
        orders[found["k"].astype(np.int64)] = found["orders"]
        return orders

    def first_orders(self) -> Ints:
        """Day of the first valid order of everybody as known now, -1 without one; shape (ids,)."""
        state = _STATE.format(known=self.as_of, after=_EVER, until=self.as_of)
        found = self._numbers(
            f"select k, min(order_day) as first_day from ({state}) group by k order by k"
        )
        days = np.full(len(self.ids), UNKNOWN_DAY, np.int64)
        days[found["k"].astype(np.int64)] = found["first_day"]
        return days

    def _ends(self, on: int) -> Ints:
        """The day on which the last contract ends, as known on a day; shape (ids,)."""
        found = self._numbers(
            f"""
            select k, max(ends_on) - date '1970-01-01' as ends
            from term
            where start_on <= date '1970-01-01' + {on}
            group by k
            having bool_and(ends_on is not null and known_on <= date '1970-01-01' + {on})
            order by k
            """
        )
        ends = np.full(len(self.ids), _NEVER, np.int64)
        ends[found["k"].astype(np.int64)] = found["ends"]
        return ends

    def _numbers(self, query: str) -> dict[str, Array]:
        """Columns as float64; sums are exact decimals until here, so no order of rows matters."""
        columns = self._con.execute(f"select * from ({query})")
        names = [column[0] for column in columns.description]
        table = columns.to_arrow_table()
        return {
            name: table[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in names
        }


def _history(keys: Ints, customers: Ints) -> History:
    x, rest = np.divmod(keys, _DAYS * _DAYS)
    t_x, age = np.divmod(rest, _DAYS)
    return History(x.astype(float), t_x.astype(float), age.astype(float), customers.astype(float))


def _codes(column: pa.ChunkedArray) -> tuple[list[str], Ints]:
    """Distinct values in order, and which of them each row has."""
    names = sorted(set(column.unique().to_pylist()))
    at = {name: code for code, name in enumerate(names)}
    encoded = column.combine_chunks().dictionary_encode()
    by_code = np.array([at[name] for name in encoded.dictionary.to_pylist()], np.int64)
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return names, by_code[codes] if len(by_code) else np.zeros(0, np.int64)


def _arrow(given: Any, columns: Sequence[str], name: str) -> pa.Table:
    """An Arrow table of a table or of a DuckDB relation; UserError where columns are missing."""
    table = given if isinstance(given, pa.Table) else given.to_arrow_table()
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise UserError(f"{name} lacks {', '.join(missing)}; it needs all of {list(columns)}.")
    return table.select(list(columns))
