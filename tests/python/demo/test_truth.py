"""The planted truth against independent recounts from the raw files, and the planted process."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from demo_reader import Demo

CENT = Decimal("0.01")


def amount(record: dict[str, Any], *names: str) -> Decimal:
    """The first of several columns that a record has, as money."""
    return Decimal(next(record[name] for name in names if record.get(name)))


def shopify_orders(demo: Demo) -> dict[str, tuple[str, Decimal, Decimal]]:
    """Order -> (state read off the record, paid, refunded)."""
    refunded: dict[str, Decimal] = defaultdict(Decimal)
    order_of = {
        row["id"]: row["order_id"] for row in demo.newest("shopify", "refund", "id", "id").values()
    }
    for row in demo.newest("shopify", "order_line_refund", "id", "id").values():
        refunded[order_of[row["refund_id"]]] += amount(row, "subtotal", "subtotal_set_shop_amount")
    for row in demo.newest("shopify", "order_adjustment", "id", "id").values():
        refunded[order_of[row["refund_id"]]] -= amount(row, "amount", "amount_set_shop_amount")
    orders = {}
    for key, row in demo.newest("shopify", "order", "id", "updated_at").items():
        paid = amount(row, "total_price", "total_price_set_shop_amount")
        status = (row.get("financial_status") or row["display_financial_status"]).lower()
        if row["test"] == "TRUE":
            state = "test"
        elif paid == 0:
            state = "zero_paid"
        elif row["cancelled_at"]:
            state = "cancelled"
        elif status == "pending":
            state = "not_paid"
        elif (row.get("currency") or row["currency_code"]) != "CNY":
            state = "no_rate"
        else:
            state = "fully_refunded" if refunded[key] >= paid else "valid"
        orders[key] = (state, paid, refunded[key])
    return orders


def pos_orders(demo: Demo) -> tuple[dict[str, tuple[str, Decimal, Decimal]], Decimal]:
    """Receipt -> (state, paid, refunded), and what was paid back without a receipt."""
    refunded: dict[str, Decimal] = defaultdict(Decimal)
    receipts = demo.newest("pos", "receipts", "receipt_no", "updated_at")
    for row in receipts.values():
        if row["receipt_type"] == "REFUND":
            refunded[row["original_receipt_no"]] += abs(Decimal(row["paid_amount"]))
    orders = {}
    for key, row in receipts.items():
        if row["receipt_type"] == "SALE":
            paid = Decimal(row["paid_amount"])
            if row["is_training"] == "TRUE":
                state = "test"
            elif paid == 0:
                state = "zero_paid"
            else:
                state = "fully_refunded" if refunded[key] >= paid else "valid"
            orders[key] = (state, paid, refunded[key])
    return orders, refunded[""]


def direct_orders(demo: Demo) -> dict[str, tuple[str, Decimal, Decimal]]:
    """Marketplace order -> (state, paid, refunded)."""
    refunded: dict[str, Decimal] = defaultdict(Decimal)
    for row in demo.newest("direct", "refund", "source_record_id", "loaded_at").values():
        if row["status"] == "completed":
            refunded[row["order_ref"]] += Decimal(row["amount"])
    tests = {
        row["source_record_id"]
        for row in demo.good_records("direct", "account")
        if row["is_test"] == "true"
    }
    orders = {}
    for key, row in demo.newest("direct", "order_header", "source_record_id", "updated_at").items():
        paid = Decimal(row["paid_amount"])
        if row["is_test"] == "true" or row["account_ref"] in tests:
            state = "test"
        elif row["order_kind"] != "sale":
            state = "kind"
        elif row["status"] == "cancelled":
            state = "cancelled"
        elif row["status"] == "created":
            state = "not_paid"
        else:
            state = "fully_refunded" if refunded[key] >= paid else "valid"
        orders[key] = (state, paid, refunded[key])
    return orders


def test_orders_and_money_recounted_from_the_files(demo: Demo) -> None:
    pos, orderless = pos_orders(demo)
    found = {"shopify": shopify_orders(demo), "pos": pos, "tmall": direct_orders(demo)}
    planted = {(row["source_system"], row["source_record_id"]): row for row in demo.truth("orders")}
    assert planted.keys() == {(system, key) for system, rows in found.items() for key in rows}
    for (system, key), row in planted.items():
        state, paid, refunded = found[system][key]
        assert (row["exclusion_reason"] or "valid") == state, (system, key)
        assert row["is_valid"] == (state == "valid")
        assert (row["paid_amount"], row["refunded_amount"]) == (paid, refunded), (system, key)
    expected = demo.expectations()
    every = [order for rows in found.values() for order in rows.values()]
    counts = Counter(state for state, _, _ in every)
    assert counts.pop("valid") == expected["orders"]["valid"]
    assert counts == expected["orders"]["excluded"]
    money = {name: Decimal(value) for name, value in expected["money"].items()}
    net = sum(paid - refunded for state, paid, refunded in every if state == "valid")
    assert net == money["net_sales_by_order_day"]
    all_sales = sum(
        paid - refunded for state, paid, refunded in every if state in ("valid", "fully_refunded")
    )
    assert all_sales - orderless == money["net_sales_by_refund_day"]
    assert orderless == money["orderless_refunds"]
    excess = sum(max(Decimal(0), refunded - paid) for _, paid, refunded in every)
    assert excess == money["refunded_above_paid"]
    assert (
        money["net_sales_by_order_day"] - money["net_sales_by_refund_day"]
        == money["orderless_refunds"] + money["refunded_above_paid"]
    )


def test_lines_add_up_to_their_orders(small: Demo) -> None:
    goods: dict[str, Decimal] = defaultdict(Decimal)
    allocated: dict[str, Decimal] = defaultdict(Decimal)
    for row in small.newest("shopify", "discount_allocation", "order_line_id", "index").values():
        allocated[row["order_line_id"]] += amount(row, "amount", "allocated_amount_set_shop_amount")
    for row in small.newest("shopify", "order_line", "id", "id").values():
        own = amount(row, "total_discount", "total_discount_set_shop_amount")
        gross = (
            Decimal(row["price"]) * Decimal(row["quantity"])
            if row.get("price")
            else Decimal(row["original_total_set_shop_amount"])
        )
        goods[row["order_id"]] += gross - allocated.get(row["id"], own)
    orders = small.newest("shopify", "order", "id", "updated_at")
    assert goods.keys() == orders.keys()
    for key, row in orders.items():
        assert goods[key] == amount(row, "subtotal_price", "subtotal_price_set_shop_amount")
    till: dict[str, Decimal] = defaultdict(Decimal)
    for row in {
        (row["receipt_no"], row["line_no"]): row
        for row in small.good_records("pos", "receipt_lines")
    }.values():
        till[row["receipt_no"]] += Decimal(row["line_paid"])
    for key, row in small.newest("pos", "receipts", "receipt_no", "updated_at").items():
        if row["receipt_type"] == "SALE":
            assert till[key] == Decimal(row["paid_amount"])


def test_spend_and_acquisition_cost_recounted(small: Demo) -> None:
    spent: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    newest: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in small.good_records("ads", "daily_spend"):
        key = (row["platform"], row["campaign_id"], row["date"])
        if key not in newest or row["updated_at"] > newest[key]["updated_at"]:
            newest[key] = row
    for row in newest.values():
        if row["cost_kind"] == "acquisition":
            month = row["date"][:7]
            spent[row["platform"], row["campaign_id"], month] += Decimal(row["cost"])
    cells = small.truth("acquisition_cost")
    for cell in cells:
        key = (cell["channel"], cell["campaign"], str(cell["month_on"])[:7])
        assert cell["spend_amount"] == spent.pop(key, Decimal(0))
        if cell["new_customers"]:
            assert math.isclose(
                float(cell["cac"]),
                float(cell["spend_amount"]) / cell["new_customers"],
                abs_tol=1e-5,
            )
    assert not spent
    first_orders = [row["first_valid_order_on"] for row in small.truth("persons")]
    assert sum(cell["new_customers"] for cell in cells) == sum(
        day is not None for day in first_orders
    )


def test_accounts_and_identifiers_are_those_in_the_files(small: Demo) -> None:
    accounts: dict[str, set[str]] = defaultdict(set)
    bare: set[str] = set()
    for row in small.truth("accounts"):
        (bare if row["is_bare"] else accounts[row["source_system"]]).add(row["source_record_id"])
    assert accounts["shopify"] == {r["id"] for r in small.good_records("shopify", "customer")}
    assert accounts["crm"] == {r["member_no"] for r in small.good_records("crm", "members")}
    logins = {
        r.get("user_id") or "anonymous-" + r["anonymous_id"]
        for r in small.good_records("segment", "identifies")
    }
    assert accounts["segment"] == logins
    assert any(login.startswith("anonymous-") for login in logins)
    named = {r["user_id"] for r in small.good_records("segment", "tracks") if "user_id" in r}
    named |= {r["user_id"] for r in small.good_records("segment", "pages") if "user_id" in r}
    assert bare == named - logins
    wechat = {r["openid"] for r in small.good_records("wechat", "followers")}
    wechat |= {r["openid"] for r in small.good_records("wechat", "mini_program_users")}
    assert accounts["wechat"] == wechat
    persons = defaultdict(set)
    for row in small.truth("identifiers"):
        persons[row["id_type"], row["raw_value"]].add(row["person_id"])
    cookies = {r["anonymous_id"] for r in small.good_records("segment", "tracks")}
    people = {c for c in cookies if persons.get(("anonymous_id", c))}
    assert len(people) > 0.95 * len(cookies), "all but the machines' cookies belong to somebody"
    shared = Counter(id_type for (id_type, _), who in persons.items() if len(who) > 1)
    assert shared["phone"] and shared["anonymous_id"]
    assert not shared["member_id"] and not shared["wx_unionid"] and not shared["email"]


def test_junk_masked_and_shared_values_are_there(usual: Demo) -> None:
    mobiles = {row["mobile"] for row in usual.good_records("crm", "members")}
    assert {"00000000000", "13800138000", "null"} <= mobiles
    emails = {row["email"] for row in usual.good_records("shopify", "order")}
    assert {"test@test.com", "undefined"} <= emails
    tills = Counter(row["member_phone"] for row in usual.good_records("pos", "receipts"))
    assert max(count for phone, count in tills.items() if phone.startswith("1370000")) > 5
    assert any("****" in phone for phone in tills)
    persons = usual.truth("persons")
    for name in ("shares_phone_with", "takes_over_phone_of", "shares_device_with"):
        assert any(person[name] is not None for person in persons), name


def test_the_planted_process_has_the_stated_parameters(usual: Demo) -> None:
    process = usual.expectations()["process"]
    persons = [p for p in usual.truth("persons") if p["first_valid_order_on"]]
    count = len(persons)
    rate = process["rate_shape_r"] / process["rate_scale_alpha_days"]
    spread = math.sqrt(process["rate_shape_r"]) / process["rate_scale_alpha_days"]
    mean = sum(p["purchases_a_day"] for p in persons) / count
    assert abs(mean - rate) < 4 * spread / math.sqrt(count)
    dropout = process["dropout_a"] / (process["dropout_a"] + process["dropout_b"])
    mean = sum(p["dropout_probability"] for p in persons) / count
    assert abs(mean - dropout) < 4 * 0.17 / math.sqrt(count)
    value = process["value_p"] * process["value_gamma_cny"] / (process["value_q"] - 1)
    mean = sum(p["mean_order_value"] for p in persons) / count
    assert abs(mean - value) < 4 * value * 0.71 / math.sqrt(count)
    repeats = Counter(min(p["valid_orders"], 4) for p in persons)
    assert repeats[1] > 0.3 * count
    assert repeats[4] > 0.1 * count


def test_the_key_follows_from_the_seed(small: Demo) -> None:
    key = small.root / "vault" / "demo.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert key.read_text() == hashlib.sha256(b"perennial demo key7").hexdigest()
