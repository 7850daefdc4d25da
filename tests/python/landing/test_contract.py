"""The header contract: what sources.yml may say, and one sentence for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.errors import UserError
from orchestration.landing.contract import (
    Identifier,
    contract_id,
    enabled_channels,
    load_sources,
)
from orchestration.landing.id_rules import load_id_rules

from .conftest import CHECKOUT, Shop


def _declare(shop: Shop, table: str) -> None:
    text = f"sources:\n  - name: shop\n    tables:\n{table}"
    shop.sources("shop").write_text(text, encoding="utf-8")


def test_the_declaration_is_read(shop: Shop):
    tables = load_sources(shop.project).channels["shop"]
    orders = tables["orders"]
    assert orders.by_name["ordernumber"] == orders.by_name["订单号"] == "order_no"
    assert orders.required == ("order_no", "paid")
    assert orders.key_columns == ("order_no",)
    assert orders.columns[2].identifier == Identifier(type="phone")
    assert orders.columns[4].is_pii_token and not orders.columns[2].is_pii_token
    assert (tables["gbk"].encoding, tables["western"].delimiter) == ("gb18030", ";")
    links = {c.name: c for c in tables["links"].columns}
    assert links["left_value"].identifier.type_column == "left_type"
    assert links["member_no"].identifier.keep
    assert tables["links"].output_columns == [
        "link_no",
        "left_type",
        "left_scope",
        "left_value",
        "member_no",
        "friend_ids",
        "ids",
        "_warnings",
        "_file_sha",
        "_line",
    ]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("      - {name: t}", "declares no columns"),
        ("      - {name: t, config: {meta: {encoding: ebcdic}}}", "encoding 'ebcdic' is unknown"),
        ("      - {name: t, config: {meta: {delimiter: '||'}}}", "one ASCII character"),
        ("      - {name: a b}", "table name 'a b' is not usable"),
        (
            "      - {name: t, columns: [{name: a, config: {meta: {identifier: {typ: phone}}}}]}",
            "identifier needs either type or type_column",
        ),
        (
            "      - {name: t, columns: [{name: a, config: {meta: {identifier: "
            "{type_column: b}}}}]}",
            "there is no column b",
        ),
        (
            "      - {name: t, columns: [{name: a, config: {meta: {pii: some}}}]}",
            "pii must be none, quasi or direct",
        ),
        (
            "      - {name: t, columns: [{name: a}, {name: b, config: {meta: {aliases: [A]}}}]}",
            "both answer to the name a",
        ),
        (
            "      - {name: t, columns: [{name: a, config: {meta: {identifier: "
            "{type: phone, keep: true}}}}]}",
            "keep would leave personal data",
        ),
        ("      - {name: t, columns: [{name: _line}]}", "landing writes this column itself"),
        ("      - {name: t, columns: [{name: ids}]}", "landing writes this column itself"),
        ("      - {name: t, columns: [", "cannot be read as YAML"),
    ],
)
def test_a_wrong_declaration_is_one_sentence(shop: Shop, table: str, sentence: str):
    _declare(shop, table)
    with pytest.raises(UserError, match=sentence) as raised:
        load_sources(shop.project)
    assert "\n" not in str(raised.value)
    assert "_shop__sources.yml" in str(raised.value)


def test_an_identifier_type_must_be_in_the_seed(shop: Shop):
    _declare(
        shop,
        "      - {name: t, columns: [{name: a, config: {meta: {identifier: {type: fax}}}}]}",
    )
    shop.drop("a.csv", "a\n1\n", "shop/t")
    with pytest.raises(UserError, match=r"'fax', which seeds/id_type_rule.csv does not list"):
        shop.land()


def test_channels_come_from_the_project_or_an_override(shop: Shop):
    assert enabled_channels(shop.project) == ["direct", "shop"]
    assert enabled_channels(shop.project, {"channels": {"shop": ["event"]}}) == ["shop"]
    with pytest.raises(UserError, match="Unknown channel 'till'"):
        enabled_channels(shop.project, {"channels": {"till": []}})
    with pytest.raises(UserError, match="The var channels must list"):
        enabled_channels(shop.project, {"channels": []})


def test_no_project_is_one_sentence(tmp_path: Path):
    with pytest.raises(UserError, match="No channel is declared"):
        load_sources(tmp_path)


def test_the_contract_id_follows_meaning_only(shop: Shop):
    rules = load_id_rules(shop.project)
    before = contract_id(load_sources(shop.project).channels["shop"]["plain"], rules)
    path = shop.sources("shop")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("{name: note}", "{name: note, description: x}"), encoding="utf-8")
    assert contract_id(load_sources(shop.project).channels["shop"]["plain"], rules) == before
    path.write_text(
        text.replace("{name: note}", "{name: note, config: {meta: {pii: direct}}}"),
        encoding="utf-8",
    )
    assert contract_id(load_sources(shop.project).channels["shop"]["plain"], rules) != before


def test_the_real_declarations_are_sound():
    sources = load_sources(CHECKOUT)
    rules = load_id_rules(CHECKOUT)
    assert len(sources.channels["direct"]) == 15
    for tables in sources.channels.values():
        for table in tables.values():
            assert table.required, f"{table.channel}.{table.name} requires no column"
            for column in table.columns:
                if column.identifier and column.identifier.type:
                    assert column.identifier.type in rules.normalisers
    assert set(enabled_channels(CHECKOUT)) <= set(sources.channels)
