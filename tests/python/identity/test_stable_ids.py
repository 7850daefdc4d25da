"""Customer ids through the real models: whatever the order of delivery, through merges and back, in time."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from records import (
    Identifier,
    Records,
    card,
    cookie,
    crm,
    device,
    email,
    member,
    moment,
    phone,
    rule,
)  # fmt: skip
from warehouse import Warehouse

CROWDS = 40
LOGIN_BEFORE, LOGIN_AFTER = timedelta(days=30), timedelta(days=180)
LANDED = ("account", "benefit", "event", "identity_link", "order_header", "touch")
MODELS = (
    *(f"int_unified__{entity}_records" for entity in LANDED),
    *(
        "path:models/identity",
        "bridge_customer_identifier",
        "fct_benefit",
        "fct_event",
        "fct_order",
        "fct_touch",
    ),
    *("int_core__orders", "int_core__order_states", "int_core__refunds"),
)
NOT_NEEDED = (
    *("resource_type:test", "resource_type:unit_test", "identity_review", "int_identity__bridge_*"),
    *("int_identity__weakest_links", "int_identity__confidence"),
)
LIMITS = {"member_id": 1, "crm_id": 1, "phone": 5, "email": 5, "payment_token": 3}

Value = tuple[str, str, str]


@dataclass
class State:
    """What one run published."""

    bridge: list[tuple[str, str, str, str, datetime, datetime | None]]
    history: list[dict]
    orders: dict[str, tuple[str, Decimal]]
    points: dict[str, tuple[str, Decimal, Decimal]]
    touches: dict[str, str]
    events: dict[str, tuple[str, datetime]]

    @property
    def customers(self) -> dict[tuple, str]:
        """Customer of each value and period."""
        return {
            (t, s, v, valid_from, valid_to): c for t, s, v, c, valid_from, valid_to in self.bridge
        }

    def periods(self, identifier: Identifier) -> list[tuple[str, datetime, datetime | None]]:
        t, v, *scope = identifier
        return sorted(
            ((c, f, u) for bt, bs, bv, c, f, u in self.bridge if (bt, bs, bv) == (t, *(scope or [""]), v)),
            key=lambda period: period[1],
        )  # fmt: skip

    def customer(self, identifier: Identifier) -> str:
        """The only customer that the value ever stood for."""
        ((customer, _, _),) = self.periods(identifier)
        return customer

    def account(self, key: str) -> str:
        return self.customer(("account", key, "shop"))

    def story(self, customer: str) -> list[str]:
        """Events in the life of an id."""
        rows = [row for row in self.history if row["customer_id"] == customer]
        return [row["event"] for row in sorted(rows, key=lambda row: row["valid_from"])]

    def last(self, customer: str) -> dict:
        """The open period of an id."""
        (row,) = [r for r in self.history if r["customer_id"] == customer and r["valid_to"] is None]
        return row

    def owned(self, customers: set[str]) -> tuple:
        """Orders, their money, points, their value and touches of some customers."""
        return (
            sum(c in customers for c, _ in self.orders.values()),
            sum(paid for c, paid in self.orders.values() if c in customers),
            sum(amount for c, amount, _ in self.points.values() if c in customers),
            sum(cash for c, _, cash in self.points.values() if c in customers),
            sum(c in customers for c in self.touches.values()),
        )


def published(warehouse: Warehouse) -> State:
    """Read what the last run left."""
    columns = ("customer_id", "current_customer_id", "event", "valid_from", "valid_to", "run_id")
    columns += tuple(f"caused_by_{part}" for part in ("node_a", "node_b", "rule", "source"))
    history = warehouse.ask(f"select {', '.join(columns)} from identity.identity_id_history")
    return State(
        bridge=warehouse.ask(
            "select id_type, id_scope, id_value, customer_id, valid_from, valid_to "
            "from core.bridge_customer_identifier"
        ),
        history=[dict(zip(columns, row, strict=True)) for row in history],
        orders={k: tuple(r) for k, *r in warehouse.ask("select order_id, customer_id, paid_amount from core.fct_order")},
        points={
            k: tuple(r)
            for k, *r in warehouse.ask("select benefit_key, customer_id, amount, cash_value_amount from core.fct_benefit")
        },
        touches=dict(warehouse.ask("select touch_key, customer_id from core.fct_touch")),
        events={
            k.removeprefix("shop:"): tuple(r)
            for k, *r in warehouse.ask("select event_key, customer_id, event_at from core.fct_event")
        },
    )  # fmt: skip


def node(warehouse: Warehouse, identifier: Identifier) -> int:
    t, v, *scope = identifier
    ((key,),) = warehouse.ask(
        "select node_key from identity.int_identity__identifiers "
        f"where (id_type, id_scope, id_value) = ('{t}', '{scope[0] if scope else ''}', '{v}')"
    )
    return key


# What is landed -----------------------------------------------------------------------------------


def couples(given: Records) -> None:
    """Pairs of customers with orders, points and touches, to be merged later."""
    for pair in ("one", "two", "three"):
        for side, since in (("a", 10), ("b", 20)):
            name = f"{pair}-{side}"
            given.account(name, since, phone(name), email(name))
            for number in range(3):
                day = since + 7 * number
                given.order(f"{name}-{number}", day, account=name, paid=f"{10 + number}.{since}")
                given.order(f"{name}-guest-{number}", day, phone(name), paid="0.0100")
                given.points(f"{name}-{number}", day, name, f"{number}.5", "0.3333")
                given.touch(f"{name}-{number}", day, phone(name))


def merging(given: Records) -> None:
    """What makes one customer of each couple: one order; an order and more; a manual rule (see RULES)."""
    given.order("one-joint", 60, phone("one-a"), phone("one-b"), paid="5.0001")
    given.order("two-joint", 60, phone("two-a"), phone("two-b"), paid="5.0001")
    given.order("two-joint-too", 61, phone("two-b"), email("two-a"), paid="5.0001")


MUST = rule("must", phone("three-a"), phone("three-b"))
CANNOT = [rule("cannot", phone(f"{pair}-a"), phone(f"{pair}-b")) for pair in ("one", "two")]


def moved_phones(given: Records) -> None:
    """Telephone numbers that a source unbinds and others use afterwards, given back, and lent again and again."""
    for name, owners in (("moved", "ab"), ("returned", "aba"), ("passed", "abcd")):
        number = phone(name)
        for turn, owner in enumerate(owners):
            start, end = 100 * turn, 100 * (turn + 1)
            who = f"{name}-{owner}"
            if turn == owners.index(owner):
                given.account(who, start, member(who), number)
            given.order(f"{name}-{turn}-own", start + 10, number, account=who)
            given.order(f"{name}-{turn}-guest", start + 20, number)
            if turn + 1 < len(owners):
                given.link(f"{name}-{turn}", end - 50, "unbind", number, member(who))
    number = phone("lent")
    for turn, who in enumerate(("lent-a", "lent-b", "lent-a", "lent-b", "lent-a")):
        if turn < 2:
            given.account(who, 0, member(who))
        given.link(f"lent-{turn}-bind", 100 * turn + 10, "bind", number, member(who))
        given.order(f"lent-{turn}-guest", 100 * turn + 20, number)
        given.link(f"lent-{turn}-unbind", 100 * turn + 50, "unbind", number, member(who))


def expired_cards(given: Records) -> None:
    """A payment token that is silent for longer than its time to live, and one that never is."""
    given.account("expired-a", 0, member("expired-a"))
    given.account("expired-b", 1300, member("expired-b"))
    given.order("expired-a-own", 5, card("expired"), account="expired-a")
    given.order("expired-a-guest", 90, card("expired"))
    given.order("expired-b-own", 1300, card("expired"), account="expired-b")
    given.order("expired-b-guest", 1310, card("expired"))
    for number, day in enumerate((0, 600, 1200)):
        given.order(f"lasting-{number}", day, card("lasting"))


def devices(given: Records) -> dict[str, list[tuple[float, str]]]:
    """Devices with logins of several persons in turns, by a record or by a link, and anonymous events between."""
    draw = random.Random(11)
    logins = {
        "turns": [(100, "x"), (110, "y"), (120, "x"), (121, "y")],
        "pauses": [(100, "x"), (400, "y"), (700, "x"), (900, "x"), (910, "y")],
        "linked": [(100, "x"), (110, "y"), (120, "x")],
        "alone": [(300, "x")],
        "faithful": [(300, "x"), (330, "x"), (345, "x")],
    }
    for number in range(6):
        days = sorted(draw.sample(range(40, 800), 6))
        logins[f"random{number}"] = [(day, draw.choice("xyz")) for day in days]
    for name, turns in logins.items():
        for person in sorted({p for _, p in turns}):
            given.account(f"{name}-{person}", 1, member(f"{name}-{person}"))
        for number, (day, person) in enumerate(turns):
            who = f"{name}-{person}"
            if name == "linked":
                given.link(f"{name}-{number}", day, "login", device(name), member(who))
            elif number % 2:
                given.event(f"{name}-login-{number}", day, device(name), member(who))
            else:
                given.event(f"{name}-login-{number}", day, device(name), account=who)
            for offset in (-100, -31, -29, -1, 0.5, 5, 50, 179, 181, 250):
                given.event(f"{name}-at-{number}-{offset}", day + offset, device(name))
    return logins


def limits(given: Records) -> None:
    """Values shared by persons whose other numbers say that they are different, or the same."""
    for pair in range(3):
        for side in "ab":
            name = f"shared{pair}-{side}"
            given.account(name, pair, crm(name), phone(f"shared{pair}"), email(name))
    for side in "ab":
        given.account(f"twice-{side}", 3, member(f"twice-{side}"), phone("twice"), email("twice"))
        given.account(f"once-{side}", 3, member(f"once-{side}"), phone("once"), email(side))


def visitors(given: Records) -> None:
    """Cookies that looked around before anybody logged in."""
    given.account("visitor", 1, phone("visitor"))
    for number in range(4):
        given.event(f"visit-{number}", 200 + number, cookie("visitor"))
        given.event(f"late-visit-{number}", 100 + number, cookie("late"))
    given.account("late", 1, phone("late"))


def logging_in(given: Records) -> None:
    """The first cookie within the days that a login reaches back, the second after them."""
    given.event("visit-login", 210, cookie("visitor"), account="visitor")
    given.event("late-visit-login", 210, cookie("late"), account="late")


def crowds(given: Records) -> None:
    """Small random populations: shared values, guests, cookies, moves; each independent of the others."""
    for number in range(CROWDS):
        draw = random.Random(number)
        name = f"crowd{number}"
        pool = [
            maker(f"{name}-{maker.__name__}{n}")
            for maker, count in ((member, 3), (crm, 2), (phone, 4), (email, 3), (card, 2), (device, 2), (cookie, 3))
            for n in range(count)
        ]  # fmt: skip
        people = [f"{name}-{n}" for n in range(draw.randint(2, 4))]
        for who in people:
            given.account(who, draw.randint(0, 300), *draw.sample(pool, draw.randint(1, 3)))
        for record in range(draw.randint(4, 12)):
            make = draw.choice((given.order, given.event, given.event, given.touch))
            ids = draw.sample(pool, draw.choice((1, 1, 1, 2)))
            account = draw.choice((None, None, draw.choice(people)))
            make(f"{name}-{record}", draw.randint(0, 1500), *ids, account=account)
        if draw.random() < 0.5:
            left, right = draw.sample(pool, 2)
            given.link(
                *(f"{name}-link", draw.randint(0, 400)),
                *(draw.choice(("unbind", "bind", "login", "never")), left, right),
            )


# Runs ---------------------------------------------------------------------------------------------


@dataclass
class Life:
    """One warehouse through five runs, and the same data in others that began from nothing."""

    logins: dict[str, list[tuple[float, str]]]
    first: State
    refreshed: State
    merged: State
    parted: State
    nodes: dict[Identifier, int]
    again: dict[str, State]


@pytest.fixture(scope="module")
def life(warehouse: Warehouse) -> Life:
    given = Records()
    couples(given)
    moved_phones(given)
    expired_cards(given)
    logins = devices(given)
    limits(given)
    visitors(given)
    crowds(given)
    later = Records()
    merging(later)
    logging_in(later)

    warehouse.land(*given.spread(seed=1, files=2))
    upstream = [f"+{model}" for model in MODELS]
    warehouse.dbt("build", "--select", *upstream, "--exclude", *NOT_NEEDED)
    first = published(warehouse)
    warehouse.dbt("run", "--full-refresh", "--select", *MODELS, "--exclude", *NOT_NEEDED)
    refreshed = published(warehouse)

    warehouse.land(*given.spread(seed=1, files=2), later.rows, rules={"manual_link": [MUST]})
    warehouse.dbt("run", "--select", *MODELS, "--exclude", *NOT_NEEDED)
    merged = published(warehouse)
    warehouse.land(*given.spread(seed=1, files=2), later.rows, rules={"manual_link": CANNOT})
    warehouse.dbt("run", "--select", *MODELS, "--exclude", *NOT_NEEDED)
    parted = published(warehouse)
    ends = [phone(f"{pair}-{side}") for pair in ("one", "two", "three") for side in "ab"]
    nodes = {end: node(warehouse, end) for end in ends}

    again = {}
    for threads, seed in ((1, 2), (4, 3)):
        warehouse.land(*given.spread(seed=seed, files=3))
        _forget(warehouse)
        warehouse.dbt(
            "run", "--threads", str(threads), "--select", *MODELS, "--exclude", *NOT_NEEDED
        )
        again[f"{threads} threads"] = published(warehouse)
    _forget(warehouse)
    deliveries = given.spread(seed=4, files=3)
    for number in range(1, 4):
        warehouse.land(*deliveries[:number])
        warehouse.dbt("run", "--select", *MODELS, "--exclude", *NOT_NEEDED)
        again[f"run {number}"] = published(warehouse)
    return Life(logins, first, refreshed, merged, parted, nodes, again)


def _forget(warehouse: Warehouse) -> None:
    """Begin from nothing: no history, no components."""
    warehouse.execute("drop schema identity cascade")


# Order of delivery --------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 4])
def test_rows_files_and_threads_in_any_order_give_the_same_ids(life: Life, threads: int) -> None:
    again = life.again[f"{threads} threads"]
    assert again.customers == life.first.customers
    for facts in ("orders", "points", "touches", "events"):
        assert getattr(again, facts) == getattr(life.first, facts), facts


def test_deliveries_over_several_runs_give_the_same_partition(life: Life) -> None:
    def parts(state: State) -> set[frozenset]:
        groups = defaultdict(set)
        for value, customer in state.customers.items():
            groups[customer].add(value)
        return {frozenset(group) for group in groups.values()}

    assert parts(life.again["run 3"]) == parts(life.first)


def test_ids_that_depend_on_the_deliveries_are_explained_by_the_history(life: Life) -> None:
    spread = life.again["run 3"]
    issued = defaultdict(list)
    for row in spread.history:
        issued[row["customer_id"]].append(row)
    differing = [
        (spread.customers[value], customer)
        for value, customer in life.first.customers.items()
        if spread.customers[value] != customer
    ]
    assert len(set(differing)) > 10, "the deliveries try too little"
    for kept, at_once in set(differing):
        # The id in use was published first; the id of the all-at-once build is an alias of it, or never came to be.
        assert spread.last(kept)["current_customer_id"] == kept
        if at_once in issued:
            assert spread.last(at_once)["current_customer_id"] == kept
            assert min(r["valid_from"] for r in issued[kept]) <= min(
                r["valid_from"] for r in issued[at_once]
            )
        else:
            assert min(r["valid_from"] for r in issued[kept]) < max(
                r["valid_from"] for r in spread.history
            )


@pytest.mark.parametrize("number", [1, 2, 3])
def test_aliases_are_resolved_in_one_hop_and_every_published_id_has_a_history(
    life: Life, number: int
) -> None:
    state = life.again[f"run {number}"]
    current = {
        r["customer_id"]: r["current_customer_id"] for r in state.history if not r["valid_to"]
    }
    assert len(current) == len({r["customer_id"] for r in state.history})
    in_use = set(state.customers.values())
    assert {c for c, now in current.items() if now == c} == in_use
    assert {now for now in current.values() if now} <= in_use
    for row in state.history:
        if row["event"] == "merged":
            assert row["current_customer_id"] != row["customer_id"]
            assert row["caused_by_rule"], row
        if row["event"] == "retired":
            assert row["current_customer_id"] is None


def test_periods_of_the_history_follow_each_other(life: Life) -> None:
    for state in (life.parted, life.again["run 3"]):
        rows = defaultdict(list)
        for row in state.history:
            rows[row["customer_id"]].append(row)
        for periods in rows.values():
            periods.sort(key=lambda row: row["valid_from"])
            for former, after in itertools.pairwise(periods):
                assert former["valid_to"] == after["valid_from"]
                assert former["current_customer_id"] != after["current_customer_id"]


def test_an_unchanged_full_refresh_keeps_every_id_and_adds_no_history(life: Life) -> None:
    assert life.refreshed.customers == life.first.customers
    by_text = {"key": str}
    assert sorted(life.refreshed.history, **by_text) == sorted(life.first.history, **by_text)


# Merge and back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", ["one", "two", "three"])
def test_a_merge_keeps_the_oldest_id_and_its_undoing_brings_the_other_back(
    life: Life, pair: str
) -> None:
    ids = [life.first.account(f"{pair}-{side}") for side in "ab"]
    survivor, other = ids
    assert survivor != other
    assert [life.merged.account(f"{pair}-{side}") for side in "ab"] == [survivor, survivor]
    assert [life.parted.account(f"{pair}-{side}") for side in "ab"] == ids
    for kind in (phone, email):
        assert [life.parted.customer(kind(f"{pair}-{side}")) for side in "ab"] == ids
    assert life.parted.story(survivor) == ["born"]
    assert life.parted.story(other) == ["born", "merged", "restored"]
    assert life.merged.last(other)["current_customer_id"] == survivor
    assert life.parted.last(other)["current_customer_id"] == other


@pytest.mark.parametrize(
    ("pair", "merged_by", "parted_by"),
    [
        ("one", "order_header", {"cannot"}),
        ("two", "order_header", {"cannot", "cannot_link"}),
        ("three", "must", {"evidence_gone"}),
    ],
)
def test_the_history_names_the_link_that_merged_and_what_took_it_away(
    life: Life, pair: str, merged_by: str, parted_by: set[str]
) -> None:
    other = life.first.account(f"{pair}-b")
    merge, restore = life.merged.last(other), life.parted.last(other)
    phones = sorted(life.nodes[phone(f"{pair}-{side}")] for side in "ab")
    assert merge["caused_by_rule"] == merged_by
    if pair != "two":
        assert [merge["caused_by_node_a"], merge["caused_by_node_b"]] == phones
    assert restore["caused_by_rule"] in parted_by
    if pair == "one":
        assert [restore["caused_by_node_a"], restore["caused_by_node_b"]] == phones
    assert restore["run_id"] != merge["run_id"]


@pytest.mark.parametrize("pair", ["one", "two", "three"])
def test_merge_and_undoing_conserve_orders_money_points_and_touches(life: Life, pair: str) -> None:
    joint = {
        k: paid for k, (_, paid) in life.merged.orders.items() if k.startswith(f"{pair}-joint")
    }
    a, b = (life.first.account(f"{pair}-{side}") for side in "ab")
    own_a, own_b = life.first.owned({a}), life.first.owned({b})
    assert own_a[0] == own_b[0] == 6 and own_a[4] == own_b[4] == 3
    both = tuple(x + y for x, y in zip(own_a, own_b, strict=True))
    both = (both[0] + len(joint), both[1] + sum(joint.values()), *both[2:])
    assert life.merged.owned({a}) == both
    assert life.merged.owned({b}) == (0, 0, 0, 0, 0)
    assert life.parted.owned({a, b}) == both
    for facts in ("orders", "points", "touches"):
        before, after = getattr(life.first, facts), getattr(life.parted, facts)
        assert {k: after[k] for k in before} == before, facts
    assert all(life.parted.orders[k][0] in (a, b) for k in joint)


def test_the_brand_keeps_every_order_cent_point_and_touch(life: Life) -> None:
    def brand(state: State) -> tuple:
        everyone = {c for c, _ in state.orders.values()} | {c for c, *_ in state.points.values()}
        return state.owned(everyone | set(state.touches.values()))

    assert brand(life.refreshed) == brand(life.first)
    before, merged = brand(life.first), brand(life.merged)
    assert (merged[0] - before[0], merged[1] - before[1]) == (3, Decimal("15.0003"))
    assert merged[2:] == before[2:]
    assert brand(life.parted) == merged


def test_others_keep_their_ids_through_merge_and_undoing(life: Life) -> None:
    touched = ("one", "two", "three", "visitor", "late")
    for after in (life.merged, life.parted):
        for value, customer in life.first.customers.items():
            if not value[2].startswith(touched):
                assert after.customers[value] == customer


# Values in time -----------------------------------------------------------------------------------


def test_at_one_moment_a_value_is_one_customers(life: Life) -> None:
    for state in (life.first, life.merged, life.parted, life.again["run 3"]):
        periods = defaultdict(list)
        for t, s, v, _, valid_from, valid_to in state.bridge:
            periods[t, s, v].append((valid_from, valid_to))
        for value, found in periods.items():
            found.sort()
            for (_, end), (start, _) in itertools.pairwise(found):
                assert end is not None and end <= start, (value, found)


@pytest.mark.parametrize(
    ("name", "owners"), [("moved", "ab"), ("returned", "aba"), ("passed", "abcd")]
)
def test_an_unbound_phone_is_the_next_owners_from_then_on(
    life: Life, name: str, owners: str
) -> None:
    ids = [life.first.account(f"{name}-{owner}") for owner in owners]
    assert len(set(ids)) == len(set(owners))
    ends = [moment(100 * turn + 50) for turn in range(len(owners))]
    expected = [
        (customer, ends[turn - 1] if turn else datetime(1900, 1, 1), ends[turn] if turn + 1 < len(owners) else None)
        for turn, customer in enumerate(ids)
    ]  # fmt: skip
    assert life.first.periods(phone(name)) == expected
    for turn, customer in enumerate(ids):
        assert life.first.orders[f"{name}-{turn}-own"][0] == customer
        assert life.first.orders[f"{name}-{turn}-guest"][0] == customer


def test_a_phone_that_is_bound_and_unbound_in_turns_is_the_ones_who_has_it(life: Life) -> None:
    a, b = (life.first.account(f"lent-{side}") for side in "ab")
    assert a != b
    owners = [customer for customer, _, _ in life.first.periods(phone("lent"))]
    assert owners[:5] == [a, b, a, b, a]
    assert len(owners) == 5 or owners[5] not in (a, b), "after the last unbinding it is nobody's"
    for turn in range(5):
        assert life.first.orders[f"lent-{turn}-guest"][0] == owners[turn]


def test_a_silent_payment_token_is_the_next_owners_when_it_is_seen_again(life: Life) -> None:
    a, b = (life.first.account(f"expired-{side}") for side in "ab")
    assert a != b
    (former, later) = life.first.periods(card("expired"))
    assert (former[0], later[0]) == (a, b)
    assert moment(90) < former[2] == later[1] <= moment(1300)
    for side, customer in (("a", a), ("b", b)):
        for record in ("own", "guest"):
            assert life.first.orders[f"expired-{side}-{record}"][0] == customer
    assert len({life.first.orders[f"lasting-{number}"][0] for number in range(3)}) == 1


def person_at(turns: list[tuple[float, str]], at: datetime) -> str | None:
    """Whose device it is: from a login until the next different one, a while before a login where nobody's time reaches."""
    logins = sorted((moment(day), person) for day, person in turns)
    for number, (login, person) in enumerate(logins):
        different = [t for t, p in logins[number + 1 :] if p != person]
        if login <= at < min([login + LOGIN_AFTER, *different]):
            return person
    for number, (login, person) in enumerate(logins):
        different = [t for t, p in logins[:number] if p != person]
        if max([login - LOGIN_BEFORE, *different]) <= at < login:
            return person
    return None


@pytest.mark.parametrize(
    "name", ["turns", "pauses", "linked", "alone", "faithful", *(f"random{n}" for n in range(6))]
)
def test_a_device_is_the_persons_who_logs_in_bounded_in_time(life: Life, name: str) -> None:
    turns = life.logins[name]
    names = {life.first.account(f"{name}-{p}"): p for p in {p for _, p in turns}}
    wrong = {
        key: (names.get(customer), person_at(turns, at), at)
        for key, (customer, at) in life.first.events.items()
        if key.startswith(f"{name}-") and names.get(customer) != person_at(turns, at)
    }
    assert not wrong


def test_no_customer_holds_more_values_than_a_type_allows(life: Life) -> None:
    for state in (life.first, life.parted, life.again["run 3"]):
        held = defaultdict(set)
        for t, s, v, customer, valid_from, _ in state.bridge:
            if t in LIMITS and v not in ("twice-a", "twice-b"):
                held[customer, t, s].add((v, valid_from))
        for (customer, id_type, _), values in held.items():
            assert len(values) <= LIMITS[id_type], (customer, values)


def test_a_shared_phone_does_not_join_two_customer_numbers(life: Life) -> None:
    for pair in range(3):
        a, b = (life.first.customer(crm(f"shared{pair}-{side}")) for side in "ab")
        assert a != b
        assert life.first.customer(phone(f"shared{pair}")) in (a, b)
        for side, customer in (("a", a), ("b", b)):
            assert life.first.account(f"shared{pair}-{side}") == customer


def test_two_member_numbers_stay_together_through_two_identifiers_but_not_through_one(
    life: Life,
) -> None:
    assert life.first.account("twice-a") == life.first.account("twice-b")
    assert life.first.customer(member("twice-a")) == life.first.customer(member("twice-b"))
    assert life.first.account("once-a") != life.first.account("once-b")


def test_a_visitor_who_logs_in_brings_what_he_did_before(life: Life) -> None:
    known = life.first.account("visitor")
    anonymous = life.first.customer(cookie("visitor"))
    assert anonymous != known
    assert {life.first.events[f"visit-{n}"][0] for n in range(4)} == {anonymous}
    assert life.merged.customer(cookie("visitor")) == known
    assert {life.merged.events[f"visit-{n}"][0] for n in range(4)} == {known}
    assert life.merged.story(anonymous) == ["born", "merged"]
    assert life.merged.last(anonymous)["current_customer_id"] == known


def test_a_visit_long_before_the_login_stays_anonymous(life: Life) -> None:
    known = life.first.account("late")
    anonymous = life.first.customer(cookie("late"))
    assert {life.merged.events[f"late-visit-{n}"][0] for n in range(4)} == {anonymous}
    assert life.merged.events["late-visit-login"][0] == known
    assert [c for c, _, _ in life.merged.periods(cookie("late"))] == [anonymous, known]
    assert life.merged.last(anonymous)["current_customer_id"] == anonymous
