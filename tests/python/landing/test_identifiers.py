"""Normalisers: raw -> expected, and the SQL shortcut against the Python rules."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.landing.id_rules import IdRules
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
    ("phone", "+86 (0)139-1234-5670", "+8613912345670", None),
    ("phone", "tel:+86-139-1234-5670", "+8613912345670", None),
    ("phone", "＋８６　１３９－１２３４－５６７０", "+8613912345670", None),
    ("phone", "139.1234.5670", "+8613912345670", None),
    ("phone", "17012345670", "+8617012345670", "placeholder"),
    ("phone", "+1 650-253-0000", "+16502530000", None),
    ("phone", "0044 7400 123456", "+447400123456", None),
    ("phone", "＋４４ ７４００ １２３４５６", "+447400123456", None),
    ("phone", "+49 1512 3456789", "+4915123456789", None),
    ("phone", "+49 151 23987654", "+4915123987654", None),
    ("phone", "+81 90-1234-5670", "+819012345670", None),
    ("phone", "+886 912 345 670", "+886912345670", None),
    ("phone", "+65 8123 4567", "+6581234567", None),
    ("phone", "+1 650-253-0000 ext. 12", "+16502530000-12", "relay"),
    ("phone", "400-820-8820", "+864008208820", "shared"),
    ("phone", "+999 12345678", "+99912345678", "invalid"),
    ("phone", "+44 7400 123456", "+447400123456", None),
    ("phone", "+852 5123 4567", "+85251234567", None),
    ("phone", "010-62551234", "+861062551234", "shared"),
    ("phone", "(021) 5888 1234", "+862158881234", "shared"),
    ("phone", "+44 20 7946 0958", "+442079460958", "shared"),
    ("phone", "139****5670", "139****5670", "masked"),
    ("phone", "139xxxx5670", "139****5670", "masked"),
    ("phone", "１３９＊＊＊＊５６７０", "139****5670", "masked"),
    ("phone", "139••••5670", "139****5670", "masked"),
    ("phone", "1391234****", "1391234****", "masked"),
    ("phone", "+86139****5670", "+86139****5670", "masked"),
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
    ("phone", "13900000000", "+8613900000000", "placeholder"),
    ("phone", "19999999999", "+8619999999999", "placeholder"),
    ("phone", "98765432100", "98765432100", "placeholder"),
    ("phone", "+86 138-0013-8000", "+8613800138000", "placeholder"),
    ("phone", "{{phone}}", "{{phone}}", "invalid"),
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
    ("email", "ADA@ＭＡＩＬ．ＣＯＭ", "ada@mail.com", None),
    ("email", "张三@邮件.中国", "张三@邮件.中国", None),
    ("email", "x7k2@privaterelay.appleid.com", "x7k2@privaterelay.appleid.com", None),
    ("email", "a.d.a+news@gmail.com", "a.d.a+news@gmail.com", None),
    ("email", "tеst.user@mail.com", "tеst.user@mail.com", None),  # a Cyrillic letter stays
    ("email", "noreply@mail.com", "noreply@mail.com", "role"),
    ("email", "Info@Mail.com", "info@mail.com", "role"),
    ("email", "support+x@mail.com", "support+x@mail.com", "role"),
    ("email", "joe@mailinator.com", "joe@mailinator.com", "role"),
    ("email", "test@mail.com", "test@mail.com", "role"),
    ("email", "team@mail.com", "team@mail.com", "role"),
    ("email", "ＮｏＲｅｐｌｙ@mail.com", "noreply@mail.com", "role"),
    ("email", "mailer-daemon@mail.com", "mailer-daemon@mail.com", "role"),
    ("email", "tester@mail.com", "tester@mail.com", None),
    ("email", "info@example.com", "info@example.com", "placeholder"),
    ("email", "A@A.com", "a@a.com", "placeholder"),
    ("email", "a@mail.com", "a@mail.com", None),
    ("email", "none+1@mail.com", "none+1@mail.com", "placeholder"),
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
    ("device", "00000000000000000000000000000000", "00000000000000000000000000000000",
     "placeholder"),
    ("device", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "ffffffff-ffff-ffff-ffff-ffffffffffff",
     "placeholder"),
    ("device", "02:00:00:00:00:00", "02:00:00:00:00:00", None),
    ("device", "860461034567890", "860461034567890", None),
    ("device", "GA1.2.1234567890.1690000000", "ga1.2.1234567890.1690000000", None),
    ("device", "__IDFA__", "__idfa__", "placeholder"),
    ("device", "%%ADVERTISING_ID%%", "%%advertising_id%%", "placeholder"),
    ("device", "${gaid}", "${gaid}", "placeholder"),
    ("device", "anonymous", "anonymous", "placeholder"),
    ("device", "a\x00b", "a\x00b", "invalid"),
    ("device", "Undefined", "undefined", "placeholder"),
    # anything else keeps its case
    ("opaque", " oXyZ-1 ", "oXyZ-1", None),
    ("opaque", "Ｍ001", "M001", None),
    ("opaque", "0", "0", "placeholder"),
    ("opaque", "NULL", "null", "placeholder"),
    ("opaque", "无", "无", "placeholder"),
    ("opaque", "--", "--", "placeholder"),
    ("opaque", "xxxxxx", "xxxxxx", "placeholder"),
    ("opaque", "AAAAAA", "AAAAAA", "placeholder"),
    ("opaque", "AAA", "AAA", None),
    ("opaque", "id-{{x}}", "id-{{x}}", "placeholder"),
    ("opaque", "%s", "%s", "placeholder"),
    ("opaque", "__proto", "__proto", None),
    ("opaque", "oABC", "oABC", None),
    ("opaque", "oabc", "oabc", None),
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
    folding = replace(rules, fold_gmail=True)
    assert normalise("email", "A.da+news@googlemail.com", folding) == Normal("ada@gmail.com")
    assert normalise("email", "A.da+news@mail.com", folding) == Normal("a.da+news@mail.com")
    assert normalise("email", "Support+1@gmail.com", folding) == Normal("support@gmail.com", "role")


SHAPES = {
    ("phone", "beginning"): {"170": "shared", "+1650": "shared"},
    ("phone", "value"): {"+447400123456": "relay"},
    ("email", "containing"): {"o'neill": "role"},
    ("email", "ending"): {".test": "placeholder"},
    ("email", "mailbox"): {"ada": "role"},
    ("email", "domain"): {"mail.com": "placeholder"},
    ("device", "value"): {"aebe52e7": "placeholder"},
    ("opaque", "ending"): {"-x": "invalid"},
}


@pytest.mark.parametrize(
    ("kind", "raw", "value", "flag"),
    [
        ("phone", "+86 170 4702 3618", "+8617047023618", "shared"),
        ("phone", "17047023618", "+8617047023618", "shared"),
        ("phone", "13817047023", "+8613817047023", None),
        ("phone", "+1 650-253-0000", "+16502530000", "shared"),
        ("phone", "+44 7400 123456", "+447400123456", "relay"),
        ("email", "k.O'Neill@post.com", "k.o'neill@post.com", "role"),
        ("email", "kai@post.test", "kai@post.test", "placeholder"),
        ("email", "Ada@post.com", "ada@post.com", "role"),
        ("email", "ada@mail.com", "ada@mail.com", "placeholder"),  # the first of two flags
        ("email", "adam@post.com", "adam@post.com", None),
        ("email", "noreply@post.com", "noreply@post.com", None),  # nothing but the rows says so
        ("device", "AEBE52E7", "aebe52e7", "placeholder"),
        ("opaque", "M1-X", "M1-X", "invalid"),
        ("opaque", "AEBE52E7", "AEBE52E7", None),
    ],
)
def test_a_shape_is_a_row(
    rules: IdRules,
    con: duckdb.DuckDBPyConnection,
    kind: str,
    raw: str,
    value: str,
    flag: str | None,
):
    shaped = replace(rules, shapes=SHAPES)
    assert normalise(kind, raw, shaped) == Normal(value, flag)
    is_easy, form = easy_sql(kind, "raw", shaped)
    easy, found = con.execute(f"select {is_easy}, {form} from (select ? as raw)", [raw]).fetchone()
    assert not easy or (found, None) == (value, flag)


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
        for some in (rules, replace(rules, shapes=SHAPES), replace(rules, fold_gmail=True)):
            is_easy, form = easy_sql(kind, "raw", some)
            for raw, easy, value in con.execute(f"select raw, {is_easy}, {form} from v").fetchall():
                assert easy is not None
                if easy:
                    assert normalise(kind, raw, some) == Normal(value), (kind, raw)


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
