"""Rules of the seeds: tokenised on each landing, so that a changed row acts at once."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from orchestration.errors import UserError
from orchestration.landing.tokens import Tokeniser

from .conftest import CHECKOUT, KEY, Shop
from .faults import R1, csv, row

TOKENS = Tokeniser(KEY)


def _seed(shop: Shop, name: str, text: str) -> None:
    (shop.project / "seeds" / f"{name}.csv").write_text(text, encoding="utf-8")


def _rules(shop: Shop, name: str) -> list[dict]:
    return pq.read_table(shop.data / "landed" / "rules" / name / "rules.parquet").to_pylist()


def test_the_blocklist_holds_the_tokens_of_the_rows(shop: Shop):
    shop.drop("o.csv", csv(row(1, buyer_phone="13947023601")))
    shop.land()
    assert _rules(shop, "blocklist") == []
    (landed,) = shop.rows()
    _seed(
        shop,
        "blocklist",
        "id_type,id_scope,id_value,reason\n"
        "Phone,,+86 139-4702-3601,store phone\n"
        "wx_openid,ｗｘ1,oAbC,test\n"
        f"email,,token:{'A' * 32},seen in a mart\n,,,\n",
    )
    assert shop.land().landed == 0
    assert _rules(shop, "blocklist") == [
        {
            "id_type": "phone",
            "id_scope": "",
            "id_value": landed["buyer_phone"],
            "reason": "store phone",
        },
        {
            "id_type": "wx_openid",
            "id_scope": "wx1",
            "id_value": TOKENS.token("wx_openid", "wx1", "oAbC"),
            "reason": "test",
        },
        {"id_type": "email", "id_scope": "", "id_value": "a" * 32, "reason": "seen in a mart"},
    ]


def test_manual_links_hold_tokens(shop: Shop):
    shop.drop("o.csv", csv(R1))
    _seed(
        shop,
        "manual_link",
        "action,left_type,left_scope,left_value,right_type,right_scope,right_value,author,reason,"
        "valid_from,valid_to\n"
        "Cannot,phone,,13947023601,member_id,club,M1,li,twins,2026-01-01,\n",
    )
    shop.land()
    assert _rules(shop, "manual_link") == [
        {
            "left_token": TOKENS.token("phone", "", "+8613947023601"),
            "left_type": "phone",
            "left_scope": "",
            "right_token": TOKENS.token("member_id", "club", "M1"),
            "right_type": "member_id",
            "right_scope": "club",
            "action": "cannot",
            "author": "li",
            "reason": "twins",
            "valid_from": "2026-01-01",
            "valid_to": None,
        }
    ]


BLOCKLIST = "id_type,id_scope,id_value,reason\n"
LINK = (
    "action,left_type,left_scope,left_value,right_type,right_scope,right_value,author,reason,"
    "valid_from,valid_to\n"
)
SHAPE = "normaliser,part,text,flag,description\n"


def _link(action: str, left: str, right: str, since: str = "", until: str = "") -> str:
    return f"{action},member_id,club,{left},member_id,club,{right},li,why,{since},{until}\n"


def _rule(column: str, value: str, id_type: str = "email") -> str:
    """The real seed with one cell changed; that of email is row 11."""
    header, *rows = (CHECKOUT / "seeds" / "id_type_rule.csv").read_text("utf-8").splitlines()
    at = header.split(",").index(column)
    for i, text in enumerate(rows):
        fields = text.split(",")
        if fields[0] == id_type:
            fields[at] = value
            rows[i] = ",".join(fields)
    return "\n".join((header, *rows, ""))


def _everything(shop: Shop) -> dict[str, bytes]:
    files = (path for path in shop.data.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): path.read_bytes() for path in files}


WRONG = [
    ("blocklist", "", "lacks the column id_type"),
    ("blocklist", "id_type,id_value,reason\n", "lacks the column id_scope"),
    ("blocklist", "id_type,id_scope,id_value,reason,who\n", "has the unknown column 'who'"),
    ("blocklist", "id_type,id_scope,id_value,reason,reason\n", "has the column reason twice"),
    ("blocklist", BLOCKLIST + "fax,,1,x\n", "row 2: .* 'fax' is unknown"),
    ("blocklist", BLOCKLIST + "\nphone,,1,x\n,,,\nfax,,1,x\n", "row 5: .* 'fax' is unknown"),
    ("blocklist", BLOCKLIST + "13947023601,,1,x\n", r"row 2: .* '\(not a name\)' is unknown"),
    ("blocklist", BLOCKLIST + "phone,,,x\n", "row 2: id_value is empty"),
    ("blocklist", BLOCKLIST + "phone,,\u200b,x\n", "row 2: id_value is empty"),
    ("blocklist", BLOCKLIST + "phone,,token:12ab,x\n", "row 2: id_value needs 32 hex digits"),
    ("blocklist", BLOCKLIST + "phone,,1,a,b\n", "row 2: there are 5 fields under 4 columns"),
    ("blocklist", BLOCKLIST + "phone,,1\n", "row 2: there are 3 fields under 4 columns"),
    ("blocklist", BLOCKLIST + 'phone,,1,"x\n', "is not CSV"),
    ("manual_link", LINK + "maybe,phone,,1,phone,,2,li,x,,\n", "row 2: action must be must or cannot"),
    ("manual_link", LINK + "must,fax,,1,phone,,2,li,x,,\n", "row 2: .* 'fax' is unknown"),
    ("manual_link", LINK + "must,phone,,1,phone,,,li,x,,\n", "row 2: right_value is empty"),
    ("manual_link", LINK + "must,phone,,1,phone,,2,,x,,\n", "row 2: author is empty"),
    ("manual_link", LINK + "must,phone,,1,phone,,2,li, ,,\n", "row 2: reason is empty"),
    ("manual_link", LINK + _link("must", "A", "B", "2026-02-30"), "row 2: valid_from must be a day"),
    ("manual_link", LINK + _link("must", "A", "B", "", "20260101"), "row 2: valid_to must be a day"),
    ("manual_link", LINK + _link("must", "A", "B", "2026-01-02", "2026-01-01"),
     "row 2: valid_to lies before valid_from"),
    ("manual_link", LINK + "must,phone,,13947023601,phone,,+86 139 4702 3601,li,x,,\n",
     "row 2: left and right are the same identifier"),
    ("id_type_rule", "id_type,normaliser\nphone,fax\n", "lacks the column scope_of"),
    ("id_type_rule", _rule("strength", "Strong"), "row 11: strength must be strong, medium, weak or none"),
    ("id_type_rule", _rule("link_mode", "often"), "row 11: link_mode must be always, login or never"),
    ("id_type_rule", _rule("normaliser", "fax"), "row 11: normaliser must be phone, email, device or"),
    ("id_type_rule", _rule("may_key", "1"), "row 11: may_key must be true or false"),
    ("id_type_rule", _rule("priority", ""), "row 11: priority must be a whole number from 1 on"),
    ("id_type_rule", _rule("priority", "50"), "row 11: priority must differ from row 10"),
    ("id_type_rule", _rule("id_type", "phone"), "row 11: id_type must differ from row 10"),
    ("id_type_rule", _rule("id_type", "E-mail"), "row 11: id_type must be a name"),
    ("id_type_rule", _rule("id_type", "account"), "row 11: id_type must be a name"),
    ("id_type_rule", _rule("scope_of", ""), "row 11: scope_of is empty"),
    ("id_type_rule", _rule("max_values_per_customer", "0"), "row 11: max_values_per_customer must be"),
    ("id_type_rule", _rule("max_customers_per_value", "5.0"), "row 11: max_customers_per_value must be"),
    ("id_type_rule", _rule("ttl_days", "never"), "row 11: ttl_days must be a whole number"),
    ("blocklist_shape", SHAPE + "fax,value,1,role,\n", "row 2: normaliser must be"),
    ("blocklist_shape", SHAPE + "phone,middle,1,role,\n", "row 2: part must be value, beginning"),
    ("blocklist_shape", SHAPE + "phone,domain,1,role,\n", "row 2: only an email has a domain"),
    ("blocklist_shape", SHAPE + "phone,value,,role,\n", "row 2: text is empty"),
    ("blocklist_shape", SHAPE + "phone,value,1,bad,\n", "row 2: flag must be placeholder, role"),
    ("blocklist_shape", SHAPE + "phone,value,1,role,\nphone,value,1,shared,\n",
     "row 3: normaliser, part and text must differ from row 2"),
    ("placeholder_word", "word,language\n", "has the unknown column 'language'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A landed file and a blocklist, and a file that is still to be landed."""
    shop = Shop(tmp_path_factory.mktemp("landed"))
    shop.drop("o.csv", csv(R1))
    _seed(shop, "blocklist", BLOCKLIST + "phone,,13947023609,x\n")
    shop.land()
    shop.drop("later.csv", csv(row(2)))
    return shop


@pytest.mark.parametrize(("seed", "text", "sentence"), WRONG)
def test_a_wrong_seed_is_one_sentence_and_changes_nothing(
    landed: Shop, seed: str, text: str, sentence: str
):
    path = landed.project / "seeds" / f"{seed}.csv"
    good = path.read_bytes() if path.exists() else None
    before = _everything(landed)
    _seed(landed, seed, text)
    try:
        with pytest.raises(UserError, match=rf"^seeds/{seed}.csv {sentence}") as raised:
            landed.land()
    finally:
        path.unlink() if good is None else path.write_bytes(good)
    assert "\n" not in str(raised.value) and "13947023601" not in str(raised.value)
    assert _everything(landed) == before


def test_a_seed_in_another_encoding_is_one_sentence(shop: Shop):
    shop.drop("o.csv", csv(R1))
    (shop.project / "seeds" / "blocklist.csv").write_bytes(
        (BLOCKLIST + "phone,,1,店\n").encode("gbk")
    )
    with pytest.raises(UserError, match=r"^seeds/blocklist.csv is not UTF-8; save it as UTF-8.$"):
        shop.land()


def test_shapes_that_are_missing_are_not_taken_for_none(shop: Shop):
    shop.drop("o.csv", csv(R1))
    (shop.project / "seeds" / "blocklist_shape.csv").unlink()
    with pytest.raises(UserError, match=r"blocklist_shape.csv is missing"):
        shop.land()


CONTRADICTIONS = [
    # one must against one cannot, whichever way round they are written
    ([("must", "A", "B"), ("cannot", "A", "B")], "row 3: .* the must of row 2; "),
    ([("cannot", "B", "A"), ("must", "A", "B")], "row 2: .* the must of row 3; "),
    # a chain is named from left to right, by its fewest rows
    (
        [("must", "C", "D"), ("must", "A", "B"), ("must", "C", "B"), ("cannot", "A", "D")],
        "row 5: .* the must of rows 3, 4 and 2; ",
    ),
    (
        [("must", "A", "B"), ("must", "B", "C"), ("must", "A", "C"), ("cannot", "A", "C")],
        "row 5: .* the must of row 4; ",
    ),
    # the first day on which all of them hold
    (
        [("must", "A", "B", "2026-01-01", "2026-03-01"), ("must", "B", "C", "2026-02-01"),
         ("cannot", "A", "C")],
        "row 4: .* rows 2 and 3 on 2026-02-01; ",
    ),
    ([("must", "A", "B"), ("cannot", "A", "B", "2026-05-01")], "row 3: .* row 2 on 2026-05-01; "),
    # never on one day
    ([("must", "A", "B", "", "2026-05-01"), ("cannot", "A", "B", "2026-05-01")], None),
    (
        [("must", "A", "B", "", "2026-02-01"), ("must", "B", "C", "2026-02-01"),
         ("cannot", "A", "C")],
        None,
    ),
    ([("must", "A", "B", "2026-05-01", "2026-05-01"), ("cannot", "A", "B")], None),
    ([("must", "A", "B"), ("must", "C", "D"), ("cannot", "A", "C"), ("cannot", "B", "D")], None),
]  # fmt: skip


@pytest.mark.parametrize(("links", "sentence"), CONTRADICTIONS)
def test_contradictory_links(shop: Shop, links: list[tuple[str, ...]], sentence: str | None):
    shop.drop("o.csv", csv(R1))
    shop.land()
    _seed(shop, "manual_link", LINK + "".join(_link(*link) for link in links))
    if sentence is None:
        shop.land()
        assert len(_rules(shop, "manual_link")) == len(links)
    else:
        with pytest.raises(UserError, match=f"^seeds/manual_link.csv {sentence}") as raised:
            shop.land()
        assert "\n" not in str(raised.value)
        assert _rules(shop, "manual_link") == []


def test_a_value_and_its_token_are_one_identifier(shop: Shop):
    shop.drop("o.csv", csv(R1))
    token = TOKENS.token("phone", "", "+8613947023601")
    _seed(
        shop,
        "manual_link",
        LINK
        + "must,phone,,１３９ 4702 3601,member_id,club,A,li,why,,\n"
        + f"cannot,member_id,club,A,Phone,,Token:{token.upper()},li,why,,\n",
    )
    with pytest.raises(UserError, match="row 3: this cannot contradicts the must of row 2;"):
        shop.land()


def test_a_chain_of_thousands_and_many_cannots_are_checked_at_once(shop: Shop):
    shop.drop("o.csv", csv(R1))
    chain = [_link("must", f"M{i}", f"M{i + 1}") for i in range(3000)]
    apart = [_link("cannot", f"M{i}", f"N{i}", f"20{i % 90 + 10}-01-01") for i in range(3000)]
    _seed(shop, "manual_link", LINK + "".join(chain + apart))
    shop.land()
    _seed(shop, "manual_link", LINK + "".join(chain + apart) + _link("cannot", "M0", "M3000"))
    with pytest.raises(UserError, match=r"row 6002: .* rows 2, 3, 4, .* 3000 and 3001;"):
        shop.land()


def test_a_changed_shape_lands_the_files_again_that_hold_such_values(shop: Shop):
    shop.drop("o.csv", csv(row(1, buyer_phone="13947023601", buyer_email="kai@shop.cn")))
    shop.drop("p.csv", b"id,note,amount\n1,a,2\n", table="shop/plain")
    shop.land()
    (before,) = shop.rows()
    assert "flag" not in before["ids"]
    path = shop.project / "seeds" / "blocklist_shape.csv"
    shapes = path.read_text(encoding="utf-8")
    path.write_text(shapes + "email,domain,Shop.CN,role,our own staff\n", encoding="utf-8")
    assert (shop.land().landed, shop.land().landed) == (1, 0)
    (after,) = shop.rows()
    assert after["buyer_email"] == before["buyer_email"]
    assert after["ids"].count('"flag":"role"') == 1


def test_gmail_is_folded_by_the_setting_or_by_the_run(shop: Shop):
    shop.drop("o.csv", csv(row(1, buyer_email="A.da+x@googlemail.com")))
    shop.land()
    (plain,) = shop.rows()
    assert shop.land(fold_gmail=True).landed == 1
    (folded,) = shop.rows()
    assert plain["buyer_email"] == TOKENS.token("email", "", "a.da+x@googlemail.com")
    assert folded["buyer_email"] == TOKENS.token("email", "", "ada@gmail.com")
    settings = shop.project / "dbt_project.yml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text + "  fold_gmail: true\n", encoding="utf-8")
    assert (shop.land().landed, shop.land(fold_gmail=False).landed) == (0, 1)
    settings.write_text(text + '  fold_gmail: "no"\n', encoding="utf-8")
    with pytest.raises(UserError, match="Setting fold_gmail must be true or false, not 'no'"):
        shop.land()
