"""What two warehouses differ in, on planted ones that are small enough to count by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.identity.changes import compare, screen

BRIDGE = (
    "id_type varchar, id_scope varchar, id_value varchar, valid_from timestamp, customer_id varchar"
)
REJECTED = "node_a bigint, node_b bigint, source_system varchar, rule varchar, reason varchar"


def warehouse(
    path: Path,
    customers: dict[str, str],
    orders: dict[str, tuple[str, str]],
    rejected: dict[int, str],
) -> Path:
    """A warehouse in which each customer has the identifiers of a text, a letter each; * marks an anonymous one."""
    with duckdb.connect(str(path)) as connection:
        for statement in (
            "create schema core",
            "create schema identity",
            f"create table core.bridge_customer_identifier ({BRIDGE})",
            "create table core.fct_order (order_key varchar, customer_id varchar, net_amount decimal(18, 4))",
            "create table identity.int_identity__customer_ids (customer_id varchar, is_anonymous boolean)",
            f"create table identity.int_identity__rejected_edges ({REJECTED})",
        ):
            connection.execute(statement)
        for name, letters in customers.items():
            connection.execute(
                "insert into identity.int_identity__customer_ids values (?, ?)",
                [name.rstrip("*"), name.endswith("*")],
            )
            for letter in letters:
                connection.execute(
                    "insert into core.bridge_customer_identifier values ('phone', '', ?, '1900-01-01', ?)",
                    [letter, name.rstrip("*")],
                )
        for key, (customer, amount) in orders.items():
            connection.execute(
                "insert into core.fct_order values (?, ?, ?)", [key, customer, amount]
            )
        for node, reason in rejected.items():
            connection.execute(
                "insert into identity.int_identity__rejected_edges values (?, 9, 'shop', 'account', ?)",
                [node, reason],
            )
    return path


def planted(folder: Path) -> tuple[Path, Path]:
    """c_big takes c_small in; c_two splits; c_cookie vanishes with its only identifier; c_new is born; c_same stays."""
    before = warehouse(
        folder / "before.duckdb",
        {
            "c_big": "abcd",
            "c_small": "ef",
            "c_two": "ghi",
            "c_cookie*": "k",
            "c_same": "l",
            "c_lost": "m",
        },
        {
            "1": ("c_big", "100.10"),
            "2": ("c_small", "20.20"),
            "3": ("c_two", "3"),
            "4": ("c_two", "0.5"),
            "5": ("c_same", "7"),
            "6": ("c_lost", "8"),
        },
        {1: "masked", 2: "masked", 3: "blocklist"},
    )
    after = warehouse(
        folder / "after.duckdb",
        {"c_big": "abcdef", "c_two": "gh", "c_part": "i", "c_same": "ln", "c_new*": "o"},
        {
            "1": ("c_big", "100.10"),
            "2": ("c_big", "20.20"),
            "3": ("c_two", "3"),
            "4": ("c_part", "0.5"),
            "5": ("c_same", "7"),
            "6": ("-1", "8"),
            "7": ("c_same", "9"),
        },
        {1: "masked", 4: "blocklist", 5: "blocklist", 6: "cannot"},
    )
    return before, after


def test_everything_that_differs_is_counted(tmp_path: Path) -> None:
    changes = compare(*planted(tmp_path))
    assert changes.customers == {
        "before": {"known": 5, "anonymous": 1},
        "after": {"known": 4, "anonymous": 1},
    }
    assert (changes.merged, changes.merged_into, changes.split, changes.split_into) == (2, 1, 1, 2)
    assert (changes.ids_retired, changes.ids_born) == (3, 2)
    assert changes.identifiers == {"before": 12, "after": 12, "moved": 3, "dropped": 2, "added": 2}
    assert changes.orders == {"total": 6, "moved": 3, "new": 1}
    assert changes.net_amount_moved == Decimal("28.7")
    assert changes.rejected == [
        {"reason": "blocklist", "before": 1, "after": 2},
        {"reason": "cannot", "before": 0, "after": 1},
        {"reason": "masked", "before": 2, "after": 1},
    ]


def test_cases_name_their_parts_and_what_moves(tmp_path: Path) -> None:
    changes = compare(*planted(tmp_path))
    (merge,), (split,) = changes.largest_merges, changes.largest_splits
    assert merge.customer_id == "c_big"
    assert [(p.customer_id, p.identifiers, p.orders, p.net_amount) for p in merge.parts] == [
        ("c_big", 4, 1, Decimal("100.10")),
        ("c_small", 2, 1, Decimal("20.20")),
    ]
    assert [part.customer_id for part in merge.moving] == ["c_small"]
    assert split.customer_id == "c_two"
    assert [(p.customer_id, p.identifiers, p.orders, p.net_amount) for p in split.parts] == [
        ("c_two", 2, 1, Decimal(3)),
        ("c_part", 1, 1, Decimal("0.5")),
    ]
    assert changes.as_json()["largest_splits"][0]["parts"][1]["net_amount"] == "0.5000"
    shown = screen(changes, "CNY")
    assert "3 of 6 go to another customer, 28.70 CNY net; 1 are new" in shown
    assert "<- c_small  2 identifiers, 1 orders, 20.20" in shown
    assert "cannot 0 -> 1" in shown


def test_a_warehouse_differs_from_itself_in_nothing(tmp_path: Path) -> None:
    before, _ = planted(tmp_path)
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(before.read_bytes())
    changes = compare(before, copy)
    assert (changes.merged, changes.split, changes.ids_retired, changes.ids_born) == (0, 0, 0, 0)
    assert changes.orders["moved"] == 0 and changes.net_amount_moved == 0
    assert changes.largest_merges == changes.largest_splits == []
