"""The fault corpus: bad files with their truth, generated here and nowhere stored.

Each case tells how many records are in the file, how many land, which are quarantined and why, or
the one line with which the file is refused.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

HEADER = ["order_no", "ordered_at", "buyer_phone", "buyer_email", "buyer_name", "paid"]
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Case:
    """One file and what must become of it.

    `landed` are the order numbers (first column) that land, in order; `quarantined` (line, reason)
    pairs; `raw` the exact bytes of some quarantined lines; `refused` parts of the one line.
    """

    name: str
    content: bytes
    landed: Sequence[str] = ()
    quarantined: Sequence[tuple[int, str]] = ()
    raw: dict[int, bytes] = field(default_factory=dict)
    refused: Sequence[str] = ()
    file_name: str = "orders.csv"
    table: str = "shop/orders"
    values: dict[str, dict[str, str | None]] = field(default_factory=dict)
    lines: Sequence[int] = ()
    warnings: int = 0
    reader: str | None = None


def row(number: int, **changes: str) -> list[str]:
    """A good record."""
    record = {
        "order_no": f"R{number}",
        "ordered_at": "2026-01-01 10:00:00",
        "buyer_phone": f"139470236{number % 100:02}",
        "buyer_email": f"person{number}@mail.com",
        "buyer_name": f"张三{number}",
        "paid": f"{number}.50",
    }
    return list((record | changes).values())


def csv(*rows: Sequence[str], end: str = "\n", delimiter: str = ",", header: bool = True) -> bytes:
    """Rows as plain CSV, nothing quoted."""
    lines = [delimiter.join(r) for r in ([HEADER] if header else []) + list(rows)]
    return (end.join(lines) + end).encode()


def jsonl(*rows: Sequence[str] | str) -> bytes:
    """Rows as JSON lines; a text is a line as it is."""
    lines = [
        r
        if isinstance(r, str)
        else json.dumps(dict(zip(HEADER, r, strict=True)), ensure_ascii=False)
        for r in rows
    ]
    return ("\n".join(lines) + "\n").encode()


def good(*numbers: int) -> list[str]:
    """Order numbers of good records."""
    return [f"R{n}" for n in numbers]


R1, R2, R3, R4 = (row(n) for n in (1, 2, 3, 4))
PLAIN = csv(R1, R2, R3)
_GZ = gzip.compress(PLAIN, mtime=0)
_BODY = _GZ[:30] + bytes([_GZ[30] ^ 0xFF]) + _GZ[31:]
_CRC = _GZ[:-8] + bytes([_GZ[-8] ^ 0x01]) + _GZ[-7:]


def file_level() -> list[Case]:
    """Empty, truncated, damaged, misnamed."""
    two_members = gzip.compress(csv(R1), mtime=0) + gzip.compress(csv(R2, header=False), mtime=0)
    return [
        Case("clean", PLAIN, good(1, 2, 3), lines=(2, 3, 4), reader="fast"),
        Case("no newline at the end", PLAIN[:-1], good(1, 2, 3), reader="fast"),
        Case("empty", b"", refused=("the file is empty",)),
        Case("blank", b"\n \n\r\n", refused=("the file is empty",)),
        Case("header only", csv(), [], reader="fast"),
        Case("gzip", _GZ, good(1, 2, 3), file_name="o.csv.gz", reader="fast"),
        Case("gzip, two members", two_members, good(1, 2), file_name="o.csv.gz"),
        Case("gzip, zero padding", _GZ + b"\0" * 512, good(1, 2, 3), file_name="o.csv.gz"),
        Case("gzip truncated", _GZ[:-20], refused=("ends too early",), file_name="o.csv.gz"),
        Case("gzip without trailer", _GZ[:-8], refused=("ends too early",), file_name="o.csv.gz"),
        Case("gzip, bad checksum", _CRC, refused=("is damaged",), file_name="o.csv.gz"),
        Case("gzip, bad body", _BODY, refused=("gzip stream",), file_name="o.csv.gz"),
        Case("gzip, rubbish behind", _GZ + b"abc", refused=("gzip stream",), file_name="o.csv.gz"),
        Case("gzip in name only", csv(R3, R2), refused=("gzip stream",), file_name="o.csv.gz"),
        Case("gzip of nothing", gzip.compress(b""), refused=("is empty",), file_name="o.csv.gz"),
        Case("deflate, no gzip", zlib.compress(PLAIN), refused=("gzip",), file_name="o.csv.gz"),
        Case(
            "Parquet in name only",
            csv(R4, R2),
            refused=("no readable Parquet",),
            file_name="o.parquet",
        ),
        Case("cut in a record", PLAIN[:-30], good(1, 2), [(4, "short_row")]),
        Case("upper-case suffix", csv(R1, R3), good(1, 3), file_name="ORDERS.CSV"),
        Case("hostile name", csv(R2, R1), good(2, 1), file_name="a'b\"[x]*;..%s{{x}}.csv"),
        Case(
            "line end in the name", b"\n", refused=("a\\nb.csv", "is empty"), file_name="a\nb.csv"
        ),
    ]


def encoding() -> list[Case]:
    """Declared encodings hold; what does not decode costs its own line only."""
    bad = b",".join([b"R2", b"\xd6\xd0\xb9\xfa", b"", b"", b"", b"1"])
    broken = PLAIN.replace(b"R2,2026-01-01 10:00:00", b"R2,\xd6\xd0")
    gbk = "id\n中国一\n二\n".encode("gb18030")
    utf16 = "id,note\n1,中\n2,二\n"
    half = (
        "id,note\n1,a\n".encode("utf-16-le") + b"2\0,\0\x00\xd8\n\0" + "3,c\n".encode("utf-16-le")
    )
    western = "id;note\n1;caf\xe9\n2;\x85x\n".encode("latin-1")
    surrogates = [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe4\xbd", b"\xff"]
    return [
        Case("BOM at the start", BOM + PLAIN, good(1, 2, 3), reader="fast"),
        Case(
            "BOM inside, with the header again",
            BOM + csv(R1) + BOM + csv(R2),
            good(1, 2),
            [(3, "repeated_header")],
        ),
        Case(
            "BOM inside, before a record",
            csv(R1) + BOM + csv(R2, header=False),
            good(1, 2),
            warnings=1,
        ),
        Case("one line of another encoding", csv(R1) + bad + b"\n" + csv(R3, header=False),
             good(1, 3), [(3, "undecodable_line")], {3: bad}),
        Case("a field of another encoding", broken, good(1, 3), [(3, "undecodable_line")]),
        *(
            Case(f"no UTF-8: {code.hex()}", csv(R1, R2).replace(b"R1", b"R1" + code),
                 good(2), [(2, "undecodable_line")])
            for code in surrogates
        ),
        Case("the header of another encoding", b"\xd6\xd0" + PLAIN,
             refused=("line 1", "the header is not valid utf-8")),
        Case("NUL byte", PLAIN.replace(b"R2", b"R\x002"), good(1, 3), [(3, "nul_byte")]),
        Case("UTF-16 undeclared, BOM", "id,note\n1,a\n".encode("utf-16"), table="shop/plain",
             refused=("UTF-16", "utf-8 is declared")),
        Case("UTF-16 undeclared, no BOM", "id,note\n1,a\n".encode("utf-16-le"), table="shop/plain",
             refused=("NUL bytes", "UTF-16")),
        Case("GBK declared", gbk, ["中国一", "二"], table="shop/gbk"),
        Case("GBK declared, UTF-8 delivered", BOM + b"id\n1\n", table="shop/gbk",
             refused=("UTF-8", "gb18030 is declared")),
        Case("GBK, one bad line", gbk + b"\xff\xff\n", ["中国一", "二"],
             [(4, "undecodable_line")], table="shop/gbk"),
        Case("UTF-16 declared, BOM", utf16.encode("utf-16"), ["1", "2"], table="shop/utf16",
             reader="fast", values={"1": {"note": "中"}}),
        Case("UTF-16 big-endian", b"\xfe\xff" + utf16.encode("utf-16-be"), ["1", "2"],
             table="shop/utf16", values={"2": {"note": "二"}}),
        Case("UTF-16 big-endian, no BOM", utf16.encode("utf-16-be"), ["1", "2"],
             table="shop/utf16"),
        Case("UTF-16, no BOM", utf16.encode("utf-16-le"), ["1", "2"], table="shop/utf16"),
        Case("UTF-16, half a surrogate pair", half, ["1", "3"], [(3, "undecodable_line")],
             {3: b"2\0,\0\x00\xd8"}, table="shop/utf16"),
        Case("UTF-16, odd length", utf16.encode("utf-16-le") + b"3", ["1", "2"],
             [(4, "undecodable_line")], table="shop/utf16"),
        Case("Latin-1 declared", western, ["1", "2"], table="shop/western",
             values={"1": {"note": "café"}, "2": {"note": "\x85x"}}),
        Case("full-width text stays", csv(row(1, buyer_name="Ｘ", paid="１２")), good(1),
             values={"R1": {"paid": "１２"}}),
    ]  # fmt: skip


def header() -> list[Case]:
    """Columns are found by name, or the file is refused."""
    swapped = [HEADER[::-1], R1[::-1], R2[::-1]]
    renamed = PLAIN.replace(b"order_no", b"orderNumber")
    shouted = PLAIN.replace(b"order_no", b" ORDER_NO ")
    misspelt = PLAIN.replace(b"order_no", b"oder_no")
    doubled = [[*HEADER, "Order_No"], [*R1, "x"]]
    both = [[*HEADER, "ordernumber"], [*R1, "x"]]
    extra = [[*HEADER, "备注", "x"], [*R1, "vip", ""], [*R2, "", ""]]
    fewer = [["paid", "order_no"], ["1", "R1"]]
    report = b"Orders of January\nmade by the till\n\n" + PLAIN
    quoted = PLAIN.replace(b"order_no,", b'"order_no",')
    nameless = [["order_no", "paid", ""], ["R1", "1", "x"]]
    return [
        Case("other order of columns", csv(*swapped, header=False), good(1, 2),
             values={"R1": {"paid": "1.50"}}),
        Case("renamed by an alias", renamed, good(1, 2, 3)),
        Case("Chinese alias", renamed.replace(b"orderNumber", "订单号".encode()), good(1, 2, 3)),
        Case("case and blanks", shouted, good(1, 2, 3)),
        Case("quoted header", quoted, good(1, 2, 3)),
        Case("optional columns missing", csv(*fewer, header=False), good(1),
             values={"R1": {"ordered_at": None}}),
        Case("undeclared columns", csv(*extra, header=False), good(1, 2)),
        Case("column without a name", csv(*nameless, header=False), good(1)),
        Case("required column misspelt", misspelt,
             refused=("line 1", "'order_no' is missing", "'oder_no'", "alias")),
        Case("required columns missing", csv(["buyer_name"], ["Ada"], header=False),
             refused=("line 1", "'order_no', 'paid' are missing")),
        Case("no header", csv(R1, R2, header=False),
             refused=("line 1", "none of the declared columns")),
        Case("name twice", csv(*doubled, header=False), refused=("line 1", "'order_no'")),
        Case("name and its alias", csv(*both, header=False),
             refused=("'order_no' and 'ordernumber'", "mean the same")),
        Case("undeclared name twice", b"order_no,paid,x,X\n1,2,3,4\n",
             refused=("columns 3 and 4 have the same name",)),
        Case("preamble", report, refused=("line 4", "preamble")),
        Case("blank lines above the header", b"\n\n" + PLAIN, good(1, 2, 3), lines=(4, 5, 6)),
        Case("semicolons", csv(R1, R2, delimiter=";").replace(b"order_no,", b"order_no;"),
             refused=("line 1", "a semicolon", "a comma is declared")),
        Case("tabs", b"order_no\tpaid\nR1\t1\n", refused=("separated by a tab",)),
        Case("open quote in the header", b'order_no,"paid\nR1,1\n', refused=("quote",)),
        Case("NUL in the header", b"order_no,pa\0id\nR1,1\n", refused=("NUL",)),
    ]  # fmt: skip


def structure() -> list[Case]:
    """Records that are not what the header promised."""
    r1, r2, r3 = (",".join(r) for r in (R1, R2, R3))
    head = ",".join(HEADER)

    def text(*lines: str, end: str = "\n") -> bytes:
        return (end.join([head, *lines]) + end).encode()

    multi = text(r1, '"R2","a\nb",,,,1', r3)
    multi_crlf = text(r1, '"R2","a\r\nb",,,,1', r3, end="\r\n")
    swallow = text('R1,"open,,,,1', r2, 'R3,"closed",,,,3')
    swallow_pair = text('R1,"open,,,,1', r2, r3, 'R4,x",,,,4')
    giant = text(r1, f"R2,{'x' * (3 << 20)},,,,1", r3)
    big = text(r1, f"R2,{'x' * 100_000},,,,1", r3)
    hostile = ["'; drop table src; --", "{{ env_var('HOME') }}", "=cmd()", "+1", "@x", "<script>"]
    tabbed = text(r1, "R2,\tx,,,,1")
    return [
        Case("CRLF", text(r2, r1, end="\r\n"), good(2, 1), reader="fast"),
        Case("line ends mixed", f"{head}\r\n{r1}\n{r2}\r\n{r3}\n".encode(), good(1, 2, 3),
             lines=(2, 3, 4)),
        Case("old Macintosh line ends", text(r1, r2, end="\r"), good(1, 2), lines=(2, 3)),
        Case("lone return in a line", text(f"{r1}\r{r2}", r3), good(3), [(2, "long_row")]),
        Case("blank lines", text(r1, "", "  ", r2, ""), good(1, 2), lines=(2, 5)),
        Case("blank lines at the end", text(r1, r2, "", ""), good(1, 2), reader="fast"),
        Case("short row", text(r1, "R9,x", r2), good(1, 2), [(3, "short_row")], {3: b"R9,x"}),
        Case("long row", text(r1, r2 + ",x", r3), good(1, 3), [(3, "long_row")]),
        Case("trailing delimiter", text(r1 + ",", r2), good(2), [(2, "long_row")]),
        Case("empty fields", text("R1,,,,,"), good(1), values={"R1": {"paid": None}}),
        Case("only delimiters", text(r1, ",,,,,"), ["R1", ""]),
        Case("quoted fields", text('"R1","a ""b"" , c",,,,"1"'), good(1), reader="fast",
             values={"R1": {"ordered_at": 'a "b" , c'}}),
        Case("quote inside a field", text('R1,5" wide,,,,1', r2), good(1, 2),
             values={"R1": {"ordered_at": '5" wide'}}),
        Case("blank before a quote", text('R1, "x",,,,1'), good(1),
             values={"R1": {"ordered_at": ' "x"'}}),
        Case("text after a quote", text('R1,"x"y,,,,1', r2), good(2), [(2, "bad_quote")]),
        Case("line end in quotes", multi, good(1, 2, 3), lines=(2, 3, 5),
             values={"R2": {"ordered_at": "a\nb"}}),
        Case("CRLF in quotes", multi_crlf, good(1, 2, 3),
             values={"R2": {"ordered_at": "a\r\nb"}}),
        Case("quote never closed", text(r1, 'R2,"x,,,,2', r3, ",".join(R4)), good(1, 3, 4),
             [(3, "open_quote")], {3: b'R2,"x,,,,2'}),
        Case("quote never closed, last line", text(r1, 'R2,"x'), good(1), [(3, "open_quote")]),
        Case("quote swallows to a later quote", swallow, good(2, 3), [(2, "open_quote")]),
        Case("quote swallows whole records", swallow_pair, good(2, 3, 4), [(2, "open_quote")],
             values={"R4": {"ordered_at": 'x"'}}),
        Case("repeated header", text(r1, head, r2), good(1, 2), [(3, "repeated_header")]),
        Case("repeated header, shouted", text(r1, head.upper(), r2), good(1, 2),
             [(3, "repeated_header")]),
        Case("footer", text(r1, r2, "TOTAL,,,,,3.00"), good(1, 2), [(4, "footer")]),
        Case("short footer", text(r1, "合计：,2"), good(1), [(3, "footer")]),
        Case("footer of a database tool", text(r1, "", "(1 row affected)"), good(1),
             [(4, "footer")]),
        Case("end-of-file character", text(r1, "\x1a"), good(1), [(3, "footer")]),
        Case("total that is no footer", text("Total,,,,,1", r2), ["Total", "R2"]),
        Case("footers, two of them", text(r1, "Subtotal,,,,,1", "Total,,,,,2"), good(1),
             [(3, "footer"), (4, "footer")]),
        Case("giant field", giant, good(1, 3), [(3, "giant_record")]),
        Case("100 KB field", big, good(1, 2, 3)),
        Case("hostile text", text(*(f"R{i},{t},,,,1" for i, t in enumerate(hostile))),
             good(*range(len(hostile))),
             values={f"R{i}": {"ordered_at": t} for i, t in enumerate(hostile)}),
        Case("tab in front", tabbed, good(1, 2), values={"R2": {"ordered_at": "\tx"}}),
        Case("comment sign is data", text("#R1,,,,,1"), ["#R1"]),
        Case("words for nothing stay text", text("R1,NULL,,,,\\N"), good(1),
             values={"R1": {"ordered_at": "NULL", "paid": "\\N"}}),
        Case("digits are kept", text("R1,,,,,12345678901234567890123.10"), good(1),
             values={"R1": {"paid": "12345678901234567890123.10"}}),
        Case("emoji and right-to-left", text("R1,😀 \u202eabc,,,,1"), good(1),
             values={"R1": {"ordered_at": "😀 \u202eabc"}}),
    ]  # fmt: skip


def json_lines() -> list[Case]:
    """JSON lines: strict, digits kept."""

    def case(name: str, *lines: Sequence[str] | str, **truth: object) -> Case:
        return Case(name, jsonl(*lines), file_name="orders.jsonl", **truth)  # type: ignore[arg-type]

    zipped = gzip.compress(jsonl(R1, R2), mtime=0)
    bad = jsonl(R1) + b'{"order_no": "\xd6\xd0", "paid": 1}\n' + jsonl(R3)
    return [
        case("JSON", R1, R2, landed=good(1, 2), lines=(1, 2)),
        Case("JSON.gz", zipped, good(1, 2), file_name="o.jsonl.gz"),
        Case("JSON.gz truncated", zipped[:-12], refused=("ends too early",),
             file_name="o.jsonl.gz"),
        Case("JSON, BOM", BOM + jsonl(R1), good(1), file_name="o.jsonl"),
        Case("JSON, BOM inside", jsonl(R1) + BOM + jsonl(R2), good(1, 2), file_name="o.jsonl",
             warnings=1),
        Case("JSON, empty", b"", refused=("is empty",), file_name="o.jsonl"),
        Case("JSON, only blanks", b"\n\n", refused=("is empty",), file_name="o.jsonl"),
        Case("JSON, undecodable line", bad, good(1, 3), [(2, "undecodable_line")],
             file_name="o.jsonl"),
        Case("JSON, CRLF and blank lines", b"\r\n".join([*jsonl(R1, R2).split(b"\n"), b""]),
             good(1, 2), file_name="o.jsonl"),
        Case("JSON, cut at the end", jsonl(R1, R2)[:-20], good(1), [(2, "bad_json")],
             file_name="o.jsonl"),
        Case("JSON, raw NUL", jsonl(R1) + b'{"order_no": "a\0", "paid": 1}\n', good(1),
             [(2, "nul_byte")], file_name="o.jsonl"),
        case("JSON, escaped NUL", R1, '{"order_no": "a\\u0000", "paid": 1}', landed=good(1),
             quarantined=[(2, "nul_byte")]),
        case("JSON, member twice", R1, '{"order_no": "a", "paid": 1, "paid": 2}', landed=good(1),
             quarantined=[(2, "duplicate_member")]),
        case("JSON, member twice but for case", R1, '{"order_no": "a", "paid": 1, "Paid": 2}',
             landed=good(1), quarantined=[(2, "duplicate_member")]),
        case("JSON, member twice inside", R1, '{"order_no": "a", "paid": 1, "x": {"y": 1, "y": 2}}',
             landed=good(1), quarantined=[(2, "duplicate_member")]),
        case("JSON, name and alias", R1, '{"order_no": "a", "orderNumber": "b", "paid": 1}',
             landed=good(1), quarantined=[(2, "duplicate_member")]),
        case("JSON, NaN and Infinity", R1, '{"order_no": "a", "paid": NaN}',
             '{"order_no": "b", "paid": -Infinity}', landed=good(1),
             quarantined=[(2, "number_not_finite"), (3, "number_not_finite")]),
        case("JSON, half a surrogate pair", R1, '{"order_no": "\\ud800", "paid": 1}',
             landed=good(1), quarantined=[(2, "lone_surrogate")]),
        case("JSON, surrogate pair", '{"order_no": "\\ud83d\\ude00", "paid": 1}', landed=["😀"]),
        case("JSON, several objects", R1, '{"order_no": "a", "paid": 1} {"order_no": "b"}',
             landed=good(1), quarantined=[(2, "several_objects")]),
        case("JSON, comma behind", R1, '{"order_no": "a", "paid": 1},', landed=good(1),
             quarantined=[(2, "bad_json")]),
        case("JSON, no object", R1, "[1, 2]", '"text"', "12", "null", landed=good(1),
             quarantined=[(n, "not_an_object") for n in (2, 3, 4, 5)]),
        case("JSON, an array as file", "[", '{"order_no": "a", "paid": 1}', "]",
             refused=("line 1", "JSON array")),
        case("JSON, deep nesting", R1, "[" * 100_000, landed=good(1),
             quarantined=[(2, "bad_json")]),
        case("JSON, nesting that only just parses", R1, *(
            '{"order_no": "a", "paid": 1, "x": ' + "[" * n + "]" * n + "}" for n in (5, 900)
        ), landed=[*good(1), "a"], quarantined=[(3, "bad_json")]),
        case("JSON, digits are kept",
             '{"order_no": 12345678901234567890123, "paid": 1.10, "ordered_at": 1e-7}',
             landed=["12345678901234567890123"],
             values={"12345678901234567890123": {"paid": "1.10", "ordered_at": "1e-7"}}),
        case("JSON, other types", '{"order_no": "a", "paid": true, "ordered_at": {"b": [1.0]}}',
             landed=["a"], values={"a": {"paid": "true", "ordered_at": '{"b":[1.0]}'}}),
        case("JSON, null and empty", '{"order_no": "a", "paid": null, "ordered_at": ""}',
             landed=["a"], values={"a": {"paid": None, "ordered_at": None}}),
        case("JSON, nested members", '{"order": {"no": "a"}, "paid": 1}', landed=["a"]),
        case("JSON, required member nowhere", '{"order_no": "a"}', '{"order_no": "b"}',
             refused=("line 1", "'paid' is in no record")),
        case("JSON, required member in one", '{"order_no": "a"}', '{"order_no": "b", "paid": 1}',
             landed=["a", "b"]),
        case("JSON, giant", R1, '{"order_no": "' + "x" * (3 << 20) + '", "paid": 1}',
             landed=good(1), quarantined=[(2, "giant_record")]),
        case("JSON, single quotes", R1, "{'order_no': 'a'}", landed=good(1),
             quarantined=[(2, "bad_json")]),
    ]  # fmt: skip


CASES = [*file_level(), *encoding(), *header(), *structure(), *json_lines()]
