"""The definitions of the stage marts, counted the slow way from core facts and the stage of every day.

Nothing here shares a step with the models: the stage of a day is looked up among a customer's
intervals, and every number is a set of customers or a plain sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb

DAY = timedelta(days=1)
WINDOW = 14 * DAY
Ask = Callable[[str], list[tuple]]


def month_of(day: date) -> date:
    return day.replace(day=1)


def local_day(moment: datetime) -> date:
    """Day in Asia/Shanghai, the business time zone of the demo, of a moment in UTC."""
    return (moment + timedelta(hours=8)).date()


@dataclass
class Stages:
    """The stage of every customer and model on every day, and the order of the stages."""

    as_of: date
    spells: Mapping[tuple[str, str], list[tuple[date, date | None, str, str]]]
    ranks: Mapping[str, Mapping[str, int]]
    identified: set[str]

    def on(self, customer: str, model: str, day: date) -> tuple[str, str] | None:
        """(stage, business type) on a day; None before the customer's first one."""
        for start, end, stage, business_type in self.spells.get((customer, model), ()):
            if start <= day and (end is None or day < end):
                return stage, business_type
        return None

    def entered(self, customer: str, model: str, first: date, last: date) -> set[str]:
        """Stages that began on one of the days, with another or none on the day before."""
        found = set()
        for n in range((last - first).days + 1):
            day = first + n * DAY
            now, before = self.on(customer, model, day), self.on(customer, model, day - DAY)
            if now and (not before or now[0] != before[0]):
                found.add(now[0])
        return found


def asker(connection: duckdb.DuckDBPyConnection) -> Ask:
    return lambda sql: connection.execute(sql).fetchall()


def read(ask: Ask) -> Stages:
    """Stages of a built warehouse."""
    spells, ranks = defaultdict(list), defaultdict(dict)
    for customer, model, *spell in ask(
        "select customer_id, model_code, valid_from, valid_to, stage_code, business_type"
        " from marts.customer_lifecycle_intervals"
    ):
        spells[customer, model].append(tuple(spell))
    for model, stage, rank in ask(
        "select model_code, stage_code, stage_rank from seeds.lifecycle_stage"
    ):
        ranks[model][stage] = rank
    people = ask(
        "select customer_id from core.dim_customer"
        " where not is_unknown and not is_anonymous and not is_test"
    )
    ((as_of,),) = ask("select as_of from core.int_core__as_of")
    return Stages(as_of, spells, ranks, {c for (c,) in people})


def upgrades(ask: Ask, stages: Stages) -> dict[tuple, list[int]]:
    """(model, from, to, campaign, month, attribution) -> [eligible, measured, moved, held out, its moved]."""
    contacts = defaultdict(list)
    for customer, campaign, key, at, on, kind, experiment, variant in ask(
        "select customer_id, campaign_key, touch_key, touched_at, touched_on, touch_kind,"
        " experiment_ref, variant from core.fct_touch"
        " where campaign_key is not null and customer_id <> '-1' and not is_test"
    ):
        if on <= stages.as_of and (kind == "sent" or (experiment and kind in ("assigned", "holdout"))):  # fmt: skip
            held = kind == "holdout" or variant in ("holdout", "control")
            contacts[customer, month_of(on)].append((at, key, campaign, on, kind, held))
    found: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for (customer, month), rows in contacts.items():
        by_campaign = defaultdict(list)
        for row in rows:
            by_campaign[row[2]].append(row)
        usable = []
        for own in by_campaign.values():
            assigned = [row for row in own if row[4] != "sent"]
            counted = assigned or own
            if len({row[5] for row in counted}) == 1:
                usable += counted
        if not usable:
            continue
        for attribution, pick in (("first", min), ("last", max)):
            _, _, campaign, on, _, held = pick(usable, key=lambda row: row[:2])
            over = on + WINDOW <= stages.as_of
            for model, ranks in stages.ranks.items():
                before = stages.on(customer, model, on - DAY)
                if before is None:
                    continue
                moved = stages.entered(customer, model, on, on + WINDOW) if over else set()
                above = {stage for stage, rank in ranks.items() if rank > ranks[before[0]]}
                for target, stages_of in [("any", above)] * bool(above) + [(s, {s}) for s in above]:
                    cell = found[model, before[0], target, campaign, month, attribution]
                    is_up = bool(moved & stages_of)
                    cell[0] += not held
                    cell[1] += over and not held
                    cell[2] += is_up and not held
                    cell[3] += over and held
                    cell[4] += is_up and held
    return found


@dataclass
class Signals:
    """What is known of a buyer by a day."""

    channel: str
    refunded: bool
    nps_low: bool
    ticket: bool
    price_risen: bool

    def told(self) -> Iterable[tuple[str, str]]:
        flags = {
            "last_order_refunded": self.refunded,
            "last_nps_low": self.nps_low,
            "ticket_open": self.ticket,
            "price_risen": self.price_risen,
        }
        yield from ((name, "yes") for name, holds in flags.items() if holds)
        yield "last_channel", self.channel


def signals(ask: Ask, people: set[str], day: date) -> dict[str, Signals]:
    """The last signals of everybody who had bought by a day."""
    orders = defaultdict(list)
    for customer, key, at, channel, ordered, paid, start, is_sale, is_test, returned in ask(
        "select customer_id, order_key, ordered_at, channel_code, ordered_on, paid_on,"
        " valid_from_on, is_sale, is_test, fully_refunded_on from core.fct_order"
    ):
        was_paid = start or (max(ordered, paid) if is_sale and returned and paid else None)
        if customer in people and not is_test and was_paid and was_paid <= day:
            orders[customer].append((at, key, channel))
    refunded = {
        key
        for key, on in ask("select order_key, refunded_on from core.fct_refund where is_completed")
        if on <= day
    }
    lines, last_sale = defaultdict(list), {}
    for order, key, product, on, quantity, unit, paid, is_orphan in ask(
        "select order_key, order_line_key, product_key, ordered_on, quantity, unit_price_amount,"
        " line_paid_amount, is_orphan from core.fct_order_line"
    ):
        if is_orphan or product is None or not paid or paid <= 0 or on > day:
            continue
        price = float(unit) if unit is not None else float(paid) / float(quantity)
        lines[order].append((-paid, key, product, price))
        last_sale[product] = max(last_sale.get(product, (on, key, price)), (on, key, price))
    answers, open_tickets = {}, set()
    for customer, key, at, on, kind, score, scale, status, resolved in ask(
        "select customer_id, feedback_key, feedback_at, feedback_on, feedback_kind, score,"
        " scale_max, status, resolved_at from core.fct_feedback where not is_test"
    ):
        if on > day:
            continue
        if kind == "nps" and scale == 10 and score is not None:
            answers[customer] = max(answers.get(customer, (at, key, score)), (at, key, score))
        if kind in ("ticket", "complaint"):
            ended = resolved is not None or status in ("resolved", "rejected", "deleted")
            if not ended or (resolved is not None and local_day(resolved) > day):
                open_tickets.add(customer)
    found = {}
    for customer, own in orders.items():
        _, order, channel = max(own)
        _, _, product, price = min(lines[order]) if lines[order] else (0, "", None, 0.0)
        found[customer] = Signals(
            channel,
            order in refunded,
            customer in answers and answers[customer][2] <= 6,
            customer in open_tickets,
            product is not None and last_sale[product][2] > 1.05 * price,
        )
    return found


def reasons(ask: Ask, stages: Stages, days: Iterable[date]) -> dict[tuple, list[int]]:
    """(model, type, month, signal, value) -> [lost, lost with it, others, others with it]."""
    found = {}
    for day in days:
        groups: dict[tuple[str, str], list[tuple[bool, set]]] = defaultdict(list)
        for customer, known in signals(ask, stages.identified, day).items():
            for model, lost in (("maturity5", "lost"), ("value5", "sleeping")):
                state = stages.on(customer, model, day)
                if state is None:
                    continue
                is_lost = state[0] == lost
                if not is_lost or lost in stages.entered(customer, model, month_of(day), day):
                    groups[model, state[1]].append((is_lost, set(known.told())))
        for (model, business_type), members in groups.items():
            names = {
                ("last_order_refunded", "yes"),
                ("last_nps_low", "yes"),
                ("ticket_open", "yes"),
            }
            names |= {("price_risen", "yes")} | set().union(*(told for _, told in members))
            for name in names:
                cell = [0, 0, 0, 0]
                for is_lost, told in members:
                    place = 0 if is_lost else 2
                    cell[place] += 1
                    cell[place + 1] += name in told
                found[model, business_type, month_of(day), *name] = cell
    return found
