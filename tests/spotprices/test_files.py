"""Files of spot prices: the series that they hold, and the errors of bad ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from spotprices.files import PriceFileError, read

HEAD = "timestamp,availability_zone,instance_type,spot_price\n"
# With no time in it: the names of tests are made of it, and are the same in each process
PACKED = gzip.compress(HEAD.encode(), mtime=0)
ROW = "2015-06-01T00:00:00Z,us-east-1a,c3.xlarge,0.05\n"
REAL = Path(__file__).parent.parent / "localcloud/prices/c3.xlarge-2015-06.csv.gz"


def entry(when: str, price: str, product: str = "Linux/UNIX") -> dict[str, str]:
    return {
        "AvailabilityZone": "us-east-1a",
        "InstanceType": "c3.xlarge",
        "ProductDescription": product,
        "SpotPrice": price,
        "Timestamp": when,
    }


def test_real_prices_of_2015() -> None:
    table = read(REAL)
    assert sorted(table) == [("c3.xlarge", f"us-east-1{letter}") for letter in "abe"]
    assert sum(len(one.times) for one in table.values()) == 1570
    for one in table.values():
        assert one.times == sorted(one.times)
    assert table["c3.xlarge", "us-east-1a"].dollars[:2] == [1.0, 0.1071]
    assert max(table["c3.xlarge", "us-east-1a"].dollars) == 1


def test_csv_in_any_order_of_columns_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(
        "spot_price,instance_type,timestamp,availability_zone\r\n"
        "0.2,c3.xlarge,2015-06-01T00:00:02Z,us-east-1a\r\n"
        "0.1,c3.xlarge,2015-06-01 00:00:01,us-east-1a\r\n"
    )
    (prices,) = read(path).values()
    assert prices.dollars == [0.1, 0.2]
    assert prices.times == [1433116801, 1433116802]


def test_json_of_the_aws_command_line(tmp_path: Path) -> None:
    entries = [
        entry("2026-01-01T00:00:02+00:00", "0.300000"),
        entry("2026-01-01T00:00:01+00:00", "9.000000", "Windows"),
        entry("2026-01-01T00:00:01+00:00", "0.200000"),
        entry("2026-01-01T00:00:01+00:00", "0.100000"),
    ]
    for number, content in enumerate(({"SpotPriceHistory": entries}, entries)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(content))
        (prices,) = read(path).values()
        # Newest first there: of two in one second the later one holds
        assert prices.dollars == [0.1, 0.2, 0.3]


def test_the_market_of_machines_in_a_vpc_is_not_mixed_with_classics(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    vpc = entry("2015-06-01T00:00:00Z", "0.1", "Linux/UNIX (Amazon VPC)")
    classic = entry("2015-06-01T00:00:01Z", "0.9")
    for entries in ([vpc], [classic, vpc]):
        path.write_text(json.dumps(entries))
        (prices,) = read(path).values()
        assert prices.dollars == [0.1]


@pytest.mark.parametrize("header", ["product_description", "ProductDescription"])
def test_csv_with_products_gives_the_linux_rows_only(tmp_path: Path, header: str) -> None:
    path = tmp_path / "prices.csv"
    rows = [
        f"2023-01-01T0{hour}:00:00Z,us-east-1a,c3.xlarge,{price},{product}\n"
        for hour, price, product in (
            (0, 0.42, "Linux/UNIX"), (1, 1.25, "Windows"), (2, 0.62, "SUSE Linux"),
            (3, 0.41, "Linux/UNIX"), (4, 1.3, "Windows (Amazon VPC)"),
        )
    ]  # fmt: skip
    path.write_text(HEAD.strip() + f",{header}\n" + "".join(rows))
    (prices,) = read(path).values()
    assert prices.dollars == [0.42, 0.41]


def test_s12_json_that_is_nested_too_deeply_is_a_sentence(tmp_path: Path) -> None:
    place = tmp_path / "deep.json"
    place.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(PriceFileError, match="nested too deeply"):
        read(place)


def test_columns_may_have_ec2s_own_names(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    head = "AvailabilityZone,AvailabilityZoneId,InstanceType,ProductDescription,SpotPrice,Timestamp"
    path.write_text(f"{head}\nus-east-1a,use1-az1,c3.xlarge,Linux/UNIX,0.1,2026-01-01T00:00:00Z\n")
    assert list(read(path)) == [("c3.xlarge", "us-east-1a")]


def test_json_of_four_products_and_six_zones_of_2021() -> None:
    """The newest entries that EC2 gave for i3.4xlarge on 2021-05-30."""
    sentences: list[str] = []
    table = read(REAL.with_name("i3.4xlarge-2021-05.json.gz"), sentences.append)
    assert sorted(table) == [("i3.4xlarge", f"us-east-1{letter}") for letter in "abcdef"]
    # Linux cost $0.4 to $0.55 then; Red Hat and SUSE $0.1 more, Windows $0.7 more
    assert all(0.3 < dollars < 0.6 for one in table.values() for dollars in one.dollars)
    assert sentences == []


def test_json_with_further_pages_is_said_to_be_a_part(tmp_path: Path) -> None:
    path, sentences = tmp_path / "a.json", list[str]()
    entries = [entry("2026-01-01T00:00:00Z", "0.1")]
    path.write_text(json.dumps({"SpotPriceHistory": entries, "NextToken": "abc"}))
    assert read(path, sentences.append)
    (sentence,) = sentences
    assert sentence.startswith(f"{path} is not all of EC2's answer")


BAD: list[tuple[bytes, str]] = [
    (b"", "has no column timestamp in its first line."),
    (b"hello\n", "has no column timestamp"),
    (HEAD.encode(), "holds no prices of Linux/UNIX."),
    (f"{HEAD}{ROW}soon,us-east-1a,c3.xlarge,1\n".encode(), "line 3: the time is 'soon'"),
    (f"{HEAD}{ROW.replace('0.05', '0')}".encode(), "line 2: the price is '0'; it has to be"),
    (f"{HEAD}{ROW.replace('0.05', 'nan')}".encode(), "the price is 'nan'"),
    (f"{HEAD}{ROW.replace('0.05', 'x')}".encode(), "the price is 'x'"),
    (f"os,{HEAD}linux,{ROW}".encode(), "has a column 'os', which may tell prices apart"),
    (f"SpotPrice,{HEAD}1,{ROW}".encode(), "has the column spot_price twice."),
    (
        f"{HEAD.strip()},product_description\n{ROW.strip()},BeOS\n".encode(),
        "line 2: the product is 'BeOS'; EC2's are Linux/UNIX, ",
    ),
    (
        f"{HEAD.strip()},product_description\n{ROW.strip()},Windows\n".encode(),
        "holds no prices of Linux/UNIX.",
    ),
    (f"{HEAD}2015-06-01,us-east-1a\n".encode(), "line 2: instance type or zone is missing."),
    (f"{HEAD}{'x' * 140_000}\n".encode(), "is no CSV"),
    (b"{", "is no JSON"),
    (b"{}", "has no list SpotPriceHistory."),
    (b"[1]", "has no list SpotPriceHistory."),
    (b'[{"SpotPrice": "1"}]', "entry 1: instance type or zone is missing."),
    (b"\xff\xfe\x00", "is no text."),
    (PACKED[:-9], "is no whole gzip file"),
    (PACKED[:10] + b"garbage" * 9, "is no whole gzip file"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_names_a_bad_file_in_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "prices"
    path.write_bytes(content)
    with pytest.raises(PriceFileError) as caught:
        read(path)
    assert message in caught.value.message
    assert caught.value.message.startswith(str(path))
    assert "describe-spot-price-history" in caught.value.hint


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(PriceFileError, match="cannot be read"):
            read(path)
