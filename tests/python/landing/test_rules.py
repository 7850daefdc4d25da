"""Rules of the seeds: tokenised on each landing, so that a changed row acts at once."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from orchestration.errors import UserError
from orchestration.landing.tokens import Tokeniser

from .conftest import KEY, Shop
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


LINK = (
    "action,left_type,left_scope,left_value,right_type,right_scope,right_value,author,reason,"
    "valid_from,valid_to\n"
)


@pytest.mark.parametrize(
    ("seed", "text", "sentence"),
    [
        ("blocklist", "id_type,id_value,reason\n", "lacks the column id_scope"),
        ("blocklist", "id_type,id_scope,id_value,reason\nfax,,1,x\n", "row 2: .* 'fax' is unknown"),
        ("blocklist", "id_type,id_scope,id_value,reason\nphone,,,x\n", "row 2: .* is empty"),
        ("manual_link", LINK + "maybe,phone,,1,phone,,2,li,x,,\n", "row 2: action must be"),
        ("id_type_rule", "id_type,normaliser\nphone,fax\n", "normaliser 'fax' of phone"),
    ],
)
def test_a_wrong_seed_is_one_sentence(shop: Shop, seed: str, text: str, sentence: str):
    shop.drop("o.csv", csv(R1))
    _seed(shop, seed, text)
    with pytest.raises(UserError, match=sentence) as raised:
        shop.land()
    assert "\n" not in str(raised.value)
