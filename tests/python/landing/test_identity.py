"""Identifiers and personal data: tokens in the rows, raw values in the vault and nowhere else."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.landing.tokens import Tokeniser

from .conftest import KEY, Shop
from .faults import R1, R2, csv, jsonl, row

TOKENS = Tokeniser(KEY)


def _ids(landed: dict, column: str = "ids") -> list[dict]:
    return json.loads(landed[column]) if landed[column] else []


def _element(id_type: str, normalised: str, scope: str = "", flag: str | None = None) -> dict:
    element = {"id_type": id_type, "id_scope": scope}
    element["id_value"] = TOKENS.token(id_type, scope, normalised)
    return element | ({"flag": flag} if flag else {})


def test_values_become_tokens_and_ids(shop: Shop):
    shop.drop("o.csv", csv(row(1, buyer_phone=" １３９ 4702 3601 ", buyer_email="P1@Mail.com")))
    shop.land()
    (landed,) = shop.rows()
    phone, email = _element("phone", "+8613947023601"), _element("email", "p1@mail.com")
    assert landed["buyer_phone"] == phone["id_value"]
    assert landed["buyer_email"] == email["id_value"]
    assert landed["buyer_name"] == TOKENS.token("pii", "buyer_name", "张三1")
    assert landed["ids"] == json.dumps([email, phone], separators=(",", ":"))
    assert landed["_warnings"] is None
    vault = {(t["id_type"], t["id_scope"]): t for t in shop.tokens()}
    assert vault["phone", ""]["raw_value"] == " １３９ 4702 3601 "
    assert vault["phone", ""]["normalised"] == "+8613947023601"
    assert vault["pii", "buyer_name"]["raw_value"] == "张三1"
    assert {t["token"] for t in vault.values()} == {
        landed[name] for name in ("buyer_phone", "buyer_email", "buyer_name")
    }


def test_spellings_of_one_number_have_one_token(shop: Shop):
    spellings = ["13947023601", "+86 139-4702-3601", "008613947023601", "１３９４７０２３６０１"]
    shop.drop("o.csv", csv(*(row(i, buyer_phone=s) for i, s in enumerate(spellings))))
    shop.drop("o.jsonl", jsonl(*(row(i, buyer_phone=s) for i, s in enumerate(spellings))))
    shop.land()
    assert {r["buyer_phone"] for r in shop.rows()} == {TOKENS.token("phone", "", "+8613947023601")}
    assert len(shop.rows()) == 8


def test_flags_travel_beside_the_token(shop: Shop):
    flagged = {
        "13800138000": "placeholder",
        "139****3601": "masked",
        "18877771111-123": "relay",
        "010-62551234": "shared",
        "12": "invalid",
        "null": "placeholder",
    }
    rows = [row(i, buyer_phone=p, buyer_email="info@mail.com") for i, p in enumerate(flagged)]
    shop.drop("o.csv", csv(*rows))
    shop.land()
    for landed, flag in zip(shop.rows(), flagged.values(), strict=True):
        email, phone = _ids(landed)
        assert list(phone) == ["id_type", "id_scope", "id_value", "flag"]
        assert (email["flag"], phone["flag"]) == ("role", flag)


def test_empty_identifiers_leave_nothing(shop: Shop):
    shop.drop("o.csv", csv(row(1, buyer_phone="", buyer_email=" \u200b", buyer_name="")))
    shop.land()
    (landed,) = shop.rows()
    assert [landed[c] for c in ("buyer_phone", "buyer_email", "buyer_name", "ids")] == [None] * 4


def test_an_unreadable_column_set_has_null_ids(shop: Shop):
    shop.drop("o.csv", "order_no,paid\nR1,1\n")
    shop.land()
    assert [r["ids"] for r in shop.rows()] == [None]
    assert shop.tokens() == []


HEAD = "link_no,left_type,left_scope,left_value,member_no,ids,friend_ids\n"


def _links(shop: Shop, *lines: str) -> list[dict]:
    shop.drop("l.csv", HEAD + "".join(f"{line}\n" for line in lines), "shop/links")
    shop.land()
    return shop.rows("shop/links")


def test_type_and_scope_may_stand_in_the_row(shop: Shop):
    first, second = _links(
        shop,
        "1, WX_OpenID ,ｗｘ1,oAbC,M1,,",
        "2,phone,,13947023601,,,",
    )
    openid, member = _element("wx_openid", "oAbC", "wx1"), _element("member_id", "M1", "club")
    assert _ids(first) == [member, openid]
    assert first["left_value"] == openid["id_value"]
    assert first["member_no"] == "M1", "keep: true leaves the value, because others refer to it"
    assert _ids(second) == [_element("phone", "+8613947023601")]


def test_an_unknown_type_is_a_warning_and_stays_a_token(shop: Shop):
    landed, nameless = _links(shop, "1,loyalty,x,ABC,,,", "2,13947023601,,ABC,,,")
    assert landed["left_value"] == TOKENS.token("loyalty", "x", "ABC")
    assert landed["ids"] is None
    assert json.loads(landed["_warnings"]) == ["left_value: unknown id_type loyalty"]
    assert json.loads(nameless["_warnings"]) == ["left_value: unknown id_type (not a name)"]
    assert shop.ledger()[0]["warning_count"] == 2


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return '"' + text.replace('"', '""') + '"'


def test_an_array_of_ids_is_canonical(shop: Shop):
    given = [
        {"id_type": "wx_openid", "id_scope": "b", "id_value": "o2"},
        {"id_value": "13947023601", "id_type": "Phone"},
        {"id_type": "wx_openid", "id_scope": "a", "id_value": "o1"},
        {"id_type": "phone", "id_value": "+86 139 4702 3601", "id_scope": None},
    ]
    same = _quoted(given[::-1] + given)
    first, second = _links(
        shop, f"1,,,,M1,{_quoted(given)},{_quoted(given[:1])}", f"2,,,,M1,{same},"
    )
    expected = [
        _element("member_id", "M1", "club"),
        _element("phone", "+8613947023601"),
        _element("wx_openid", "o1", "a"),
        _element("wx_openid", "o2", "b"),
    ]
    assert _ids(first) == _ids(second) == expected
    assert first["ids"] == second["ids"], "order and repetition have no meaning"
    assert _ids(first, "friend_ids") == [expected[3]], "another person's array stays by itself"
    assert second["friend_ids"] is None


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        ("not json", "ids: unreadable"),
        ("{}", "ids: unreadable"),
        ('[{"id_type": "phone", "id_type": "email", "id_value": "1"}]', "ids: unreadable"),
        ([{"id_type": "loyalty", "id_value": "Secret"}], "ids: unknown id_type loyalty"),
        ([{"id_type": "Secret Name", "id_value": "x"}], "ids: unknown id_type (not a name)"),
        ([{"id_type": "phone"}], "ids: missing id_value"),
        ([{"id_type": "phone", "id_value": " "}], "ids: missing id_value"),
        ([{"id_value": "Secret"}], "ids: missing id_type"),
        ([{"id_type": "phone", "id_value": ["Secret"]}], "ids: unreadable element"),
        (["Secret"], "ids: unreadable element"),
    ],
)
def test_unusable_elements_are_dropped_with_a_warning(shop: Shop, given: object, warning: str):
    good = [{"id_type": "wx_openid", "id_scope": "a", "id_value": "o1"}]
    mixed = given + good if isinstance(given, list) else given
    (landed,) = _links(shop, f"1,,,,,{_quoted(mixed)},")
    assert json.loads(landed["_warnings"]) == [warning]
    assert _ids(landed) == ([_element("wx_openid", "o1", "a")] if mixed != given else [])
    (kept,) = shop.leftovers()
    text = mixed if isinstance(mixed, str) else json.dumps(given, separators=(",", ":"))
    assert json.loads(kept["_unreadable"])["ids"] == text
    assert (kept["_line"], kept["_row_key"]) == (2, "1")


def test_arrays_may_be_nested_in_json_and_null(shop: Shop):
    ids = [{"id_type": "phone", "id_value": 13947023601}]
    lines = [{"link_no": "1", "ids": ids}, {"link_no": "2", "ids": None}, {"link_no": 3, "ids": []}]
    shop.drop("l.jsonl", "".join(json.dumps(line) + "\n" for line in lines), "shop/links")
    shop.land()
    first, second, third = shop.rows("shop/links")
    assert _ids(first) == [_element("phone", "+8613947023601")]
    assert second["ids"] is None and third["ids"] is None
    assert first["_warnings"] is None and third["_warnings"] is None


def test_undeclared_columns_go_to_the_vault(shop: Shop):
    shop.drop("o.csv", "order_no,Secret,paid,备注\nR1,13947023601,1,\nR2,,2,\nR3,,3,vip\n")
    shop.drop("o.jsonl", '{"order_no": "R4", "paid": 1, "box": {"secret": [1.0]}, "at": null}\n')
    shop.land()
    csv_kept = [r for r in shop.leftovers() if "secret" in r]
    json_kept = [r for r in shop.leftovers() if "secret" not in r]
    assert [(r["_line"], r["_row_key"], r["secret"], r["备注"]) for r in csv_kept] == [
        (2, "R1", "13947023601", None),
        (4, "R3", None, "vip"),
    ]
    assert [json.loads(r["_other"]) for r in json_kept] == [{"box.secret": "[1.0]"}]
    names = {r["file_name"]: r["unknown_columns"] for r in shop.ledger()}
    assert names == {"o.csv": "secret, 备注", "o.jsonl": "box.secret"}


def test_a_name_that_could_be_a_value_is_not_shown(shop: Shop):
    shop.drop("o.jsonl", '{"order_no": "R1", "paid": 1, "ada@mail.com": 1, "13947023601": 2}\n')
    shop.land()
    assert shop.ledger()[0]["unknown_columns"] == "(withheld), (withheld)"


def test_raw_values_are_in_the_vault_only(shop: Shop):
    """Canary: phone, e-mail and name of good, bad, undeclared and refused records."""
    phone, email, name = "13947023699", "canary@mail.com", "Canary Bird"
    person = {"buyer_phone": phone, "buyer_email": email, "buyer_name": name}
    record = row(1, **person)
    short = ",".join(record[:-1]).encode()
    shop.drop("good.csv", csv(record))
    shop.drop("bad.csv", csv(R2) + short + b"\n" + b",".join([short, b"\xff"]) + b"\n")
    shop.drop("bad.jsonl", jsonl(record) + jsonl(record)[:-3] + b"\n")
    shop.drop("unknown.csv", f"order_no,paid,who\nR1,1,{name} {email} {phone}\n")
    shop.drop("refused.csv", f"{name},{email},{phone}\nR1,1,x\n")
    shop.drop(
        "links.csv",
        HEAD
        + f'1,x,y,{phone},,"[{{""id_type"":""{phone}"",""id_value"":""{name}""}}]",oops {email}\n',
        "shop/links",
    )
    result = shop.land()
    assert (result.quarantined_count, len(result.refused)) == (3, 1)

    def holds(path: Path, needle: str) -> bool:
        if path.suffix != ".parquet":
            return any(
                needle.encode(code) in path.read_bytes()
                for code in ("utf-8", "gb18030", "utf-16-le")
            )
        return any(needle in repr(row) for row in pq.read_table(path).to_pylist())

    outside = [
        p
        for p in shop.data.rglob("*")
        if p.is_file() and "landing" not in p.relative_to(shop.data).parts[:1]
    ]
    vault = [p for p in outside if "vault" in p.parts]
    for needle in (phone, email, name):
        assert any(holds(p, needle) for p in vault), "the scan finds what is there"
        assert not [p for p in set(outside) - set(vault) if holds(p, needle)]
        assert not [line for line in shop.lines if needle in line]
    assert not [p for p in outside if holds(p, KEY.decode())]


def test_the_vault_is_private(shop: Shop):
    shop.drop("o.csv", csv(R1) + b"x\n")
    shop.drop("u.csv", "order_no,paid,x\nR1,1,2\n")
    shop.land()
    vault = shop.data / "vault"
    files = [p for p in vault.rglob("*") if p.is_file()]
    assert {p.relative_to(vault).parts[0] for p in files} == {
        "key_id",
        "quarantine",
        "tokens",
        "unknown_columns",
    }
    assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}
    folders = [vault, *(p for p in vault.rglob("*") if p.is_dir())]
    assert {stat.S_IMODE(p.stat().st_mode) for p in folders} == {0o700}
    assert not (vault / "scratch").exists(), "scratch files hold raw values and are gone"


def test_the_key_of_a_quarantined_record_is_a_token(shop: Shop):
    shop.drop("o.csv", csv(R1) + b"R2,short\n\xff\n")
    shop.land()
    short, undecodable = shop.quarantined()
    assert short["row_key"] == TOKENS.row_key("shop", "orders", "R2")
    assert undecodable["row_key"] is None
    assert short["detail"] == "2 fields, expected 6"


def test_parquet_values_become_text(shop: Shop, con):
    path = shop.drop("o.parquet", b"", "shop/orders")
    con.execute(
        f"""copy (select * from (values
            ('R1', timestamptz '2026-01-01 10:00:00.5+08', '13947023601', 'A', 1.10::decimal(9,2)),
            ('R2', null, '', null, 2.00), ('R3' || chr(0), null, '13947023602', 'B', 3.00))
            as v(order_no, ordered_at, buyer_phone, buyer_name, paid))
        to '{path}' (format parquet)"""
    )
    shop.land()
    first, second = shop.rows()
    assert first["ordered_at"] == "2026-01-01 02:00:00.5Z"
    assert first["paid"] == "1.10"
    assert _ids(first) == [_element("phone", "+8613947023601")]
    assert (second["buyer_phone"], second["ids"], second["_line"]) == (None, None, 2)
    (bad,) = shop.quarantined()
    assert (bad["line"], bad["reason"]) == (3, "nul_byte")
    raw = json.loads(shop.raw_quarantined()[0]["raw"])
    assert raw["order_no"] == "R3\0" and raw["buyer_name"] == "B"
    ledger = shop.ledger()[0]
    assert (ledger["raw_count"], ledger["landed_count"], ledger["quarantined_count"]) == (3, 2, 1)


def test_parquet_types(shop: Shop):
    path = shop.drop("p.parquet", b"", "shop/plain")
    table = pa.table(
        {
            "ID": pa.array([b"x"], pa.binary()),
            "note": pa.array([[{"a": 1}]]),
            "amount": pa.array([1_700_000_000_123_456_000], pa.timestamp("ns")),
            "other": pa.array([1.5]),
        }
    )
    pq.write_table(table, path)
    shop.land()
    (landed,) = shop.rows("shop/plain")
    assert landed["id"] == "x"
    assert json.loads(landed["note"]) == [{"a": 1}]
    assert landed["amount"] == "2023-11-14 22:13:20.123456"
    assert shop.leftovers()[0]["other"] == "1.5"


def test_parquet_header_contract(shop: Shop):
    path = shop.drop("p.parquet", b"", "shop/plain")
    pq.write_table(pa.table({"note": ["x"]}), path)
    (refused,) = shop.land().refused
    assert "required column 'id' is missing" in refused.message
