"""Normalisers: raw -> expected, and the SQL shortcut against the Python rules."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.landing.contract import IdRules
from orchestration.landing.identifiers import Normal, easy_sql, normalise
from orchestration.landing.tokens import Tokeniser

NOTHING = None
CASES = [
    # phones
    ("phone", "13912345670", "+8613912345670", None),
    ("phone", " 139 1234 5670 ", "+8613912345670", None),
    ("phone", "139-1234-5670", "+8613912345670", None),
    ("phone", "１３９１２３４５６７０", "+8613912345670", None),
    ("phone", "+86 139 1234 5670", "+8613912345670", None),
    ("phone", "(+86)13912345670", "+8613912345670", None),
    ("phone", "008613912345670", "+8613912345670", None),
    ("phone", "8613912345670", "+8613912345670", None),
    ("phone", "013912345670", "+8613912345670", None),
    ("phone", "13912345670.0", "+8613912345670", None),
    ("phone", "139​12345670", "+8613912345670", None),
    ("phone", "‪13912345670‬", "+8613912345670", None),
    ("phone", "+1 650-253-0000", "+16502530000", None),
    ("phone", "+44 7400 123456", "+447400123456", None),
    ("phone", "+852 5123 4567", "+85251234567", None),
    ("phone", "010-62551234", "+861062551234", "shared"),
    ("phone", "(021) 5888 1234", "+862158881234", "shared"),
    ("phone", "+44 20 7946 0958", "+442079460958", "shared"),
    ("phone", "139****5670", "139****5670", "masked"),
    ("phone", "139xxxx5670", "139****5670", "masked"),
    ("phone", "18877771111-123", "+8618877771111-123", "relay"),
    ("phone", "18877771111转1234", "+8618877771111-1234", "relay"),
    ("phone", "+86 18877771111 ext 12", "+8618877771111-12", "relay"),
    ("phone", "188-7777-1111-123", "+8618877771111-123", "relay"),
    ("phone", "18877771111[1234]", "+8618877771111-1234", "relay"),
    ("phone", "[1234]18877771111", "+8618877771111-1234", "relay"),
    ("phone", "00000000000", "00000000000", "placeholder"),
    ("phone", "11111111111", "11111111111", "placeholder"),
    ("phone", "12345678901", "12345678901", "placeholder"),
    ("phone", "123456", "123456", "placeholder"),
    ("phone", "13800138000", "+8613800138000", "placeholder"),
    ("phone", "13800000000", "+8613800000000", "placeholder"),
    ("phone", "13888888888", "+8613888888888", "placeholder"),
    ("phone", "null", "null", "placeholder"),
    ("phone", "N/A", "n/a", "placeholder"),
    ("phone", "-", "-", "placeholder"),
    ("phone", "1.3912345670E10", "1.3912345670e10", "invalid"),
    ("phone", "12", "12", "invalid"),
    ("phone", "call me", "callme", "invalid"),
    ("phone", "  ", NOTHING, None),
    # e-mail
    ("email", "Ada@Mail.COM", "ada@mail.com", None),
    ("email", " ada@mail.com ", "ada@mail.com", None),
    ("email", "ａｄａ＠ｍａｉｌ．ｃｏｍ", "ada@mail.com", None),
    ("email", "a​da@mail.com", "ada@mail.com", None),
    ("email", "ada@mail.com.", "ada@mail.com", None),
    ("email", "a.d.a+news@gmail.com", "a.d.a+news@gmail.com", None),
    ("email", "tеst.user@mail.com", "tеst.user@mail.com", None),  # a Cyrillic letter stays
    ("email", "noreply@mail.com", "noreply@mail.com", "role"),
    ("email", "Info@Mail.com", "info@mail.com", "role"),
    ("email", "support+x@mail.com", "support+x@mail.com", "role"),
    ("email", "joe@mailinator.com", "joe@mailinator.com", "role"),
    ("email", "test@test.com", "test@test.com", "placeholder"),
    ("email", "null@mail.com", "null@mail.com", "placeholder"),
    ("email", "someone@example.com", "someone@example.com", "placeholder"),
    ("email", "undefined", "undefined", "placeholder"),
    ("email", "no at sign", "no at sign", "invalid"),
    ("email", "a@b", "a@b", "invalid"),
    ("email", "two@@mail.com", "two@@mail.com", "invalid"),
    ("email", "a\x07b@mail.com", "a\x07b@mail.com", "invalid"),
    ("email", "​", NOTHING, None),
    # devices
    ("device", "AEBE52E7-03EE-455A-B3C4-E57283966239", "aebe52e7-03ee-455a-b3c4-e57283966239",
     None),
    ("device", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000",
     "placeholder"),
    ("device", "000000000000000", "000000000000000", "placeholder"),
    ("device", "Undefined", "undefined", "placeholder"),
    # anything else keeps its case
    ("opaque", " oXyZ-1 ", "oXyZ-1", None),
    ("opaque", "Ｍ001", "M001", None),
    ("opaque", "0", "0", "placeholder"),
    ("opaque", "NULL", "null", "placeholder"),
    ("opaque", "无", "无", "placeholder"),
    ("opaque", "--", "--", "placeholder"),
    ("opaque", "xxxxxx", "xxxxxx", "placeholder"),
    ("opaque", "{{user_id}}", "{{user_id}}", "placeholder"),
    ("opaque", "[object Object]", "[object Object]", "placeholder"),
    ("opaque", "'; drop table x; --", "'; drop table x; --", None),
    ("opaque", "7", "7", None),
    # names and other personal data
    ("pii", " 张三 ", "张三", None),
    ("pii", "Ａｄａ", "Ada", None),
    ("pii", " ", NOTHING, None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "raw", "value", "flag"), CASES)
def test_normal_form(rules: IdRules, kind: str, raw: str, value: str | None, flag: str | None):
    expected = None if value is None else Normal(value, flag)
    assert normalise(kind, raw, rules) == expected


def test_gmail_is_folded_only_when_asked(rules: IdRules):
    folding = IdRules(rules.normalisers, rules.placeholder_words, fold_gmail=True)
    assert normalise("email", "A.da+news@googlemail.com", folding) == Normal("ada@gmail.com")
    assert normalise("email", "A.da+news@mail.com", folding) == Normal("a.da+news@mail.com")


_ALPHABET = "013589 aAxX@.+-_*[]{}转０１ａ张\u200b'\"%$#"
_LIKELY = st.one_of(
    st.text(_ALPHABET, max_size=14),
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9._-]{1,6}@[a-z0-9-]{1,5}\.[a-z]{1,4}", fullmatch=True),
    st.sampled_from([raw for _, raw, _, _ in CASES]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_LIKELY, min_size=30, max_size=60))
def test_the_sql_shortcut_agrees_with_the_rules(rules: IdRules, values: list[str]):
    """Where SQL says that a value is plain, Python gives the same form and no flag."""
    con = duckdb.connect()
    con.execute("create table v (raw varchar)")
    con.executemany("insert into v values (?)", [[v] for v in values])
    for kind in ("phone", "email", "device", "opaque", "pii"):
        is_easy, form = easy_sql(kind, "raw", rules)
        for raw, easy, value in con.execute(f"select raw, {is_easy}, {form} from v").fetchall():
            if easy:
                assert normalise(kind, raw, rules) == Normal(value), (kind, raw)


def test_most_ordinary_values_take_the_shortcut(rules: IdRules, con: duckdb.DuckDBPyConnection):
    ordinary = {
        "phone": "13947023618",
        "email": "Ada.Lovelace@mail.com",
        "device": "AEBE52E7-03EE-455A-B3C4-E57283966239",
        "opaque": "oXyZ_1",
        "pii": "张三",
    }
    for kind, raw in ordinary.items():
        is_easy, _ = easy_sql(kind, "raw", rules)
        assert con.execute(f"select {is_easy} from (select ? as raw)", [raw]).fetchone() == (True,)


@pytest.mark.parametrize("key", [b"k" * 32, b"k" * 64, b"long key " * 20])
def test_tokens_in_sql_equal_those_in_python(con: duckdb.DuckDBPyConnection, key: bytes):
    tokeniser = Tokeniser(key)
    for value in ("+8613912345670", "张三", "it's", ""):
        message = "'phone|' || ? || '|' || ?"
        sql = tokeniser.sql(message.replace("?", "$scope", 1).replace("?", "$value", 1))
        parameters = {**tokeniser.parameters, "scope": "a", "value": value}
        found = con.execute(f"select {sql}", parameters).fetchone()
        assert found == (tokeniser.token("phone", "a", value),)
        assert len(found[0]) == 32


def test_the_key_is_not_in_the_repr():
    assert "secret" not in repr(Tokeniser(b"secret" * 8))
