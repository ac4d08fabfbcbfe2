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
    assert sum(len(one.times) for one in table.values()) == 4015
    for one in table.values():
        assert one.times == sorted(one.times)
    assert table["c3.xlarge", "us-east-1a"].dollars[:2] == [0.0545, 0.0518]
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
        entry("2026-01-01T00:00:00.500Z", "8.000000", "Linux/UNIX (Amazon VPC)"),
    ]
    for number, content in enumerate(({"SpotPriceHistory": entries}, entries)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(content))
        (prices,) = read(path).values()
        # Newest first there: of two in one second the later one holds
        assert prices.dollars == [0.1, 0.2, 0.3]


def test_older_name_of_the_product_if_there_is_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([entry("2026-01-01T00:00:00Z", "0.1", "Linux/UNIX (Amazon VPC)")]))
    (prices,) = read(path).values()
    assert prices.dollars == [0.1]


BAD: list[tuple[bytes, str]] = [
    (b"", "has no column timestamp in its first line."),
    (b"hello\n", "has no column timestamp"),
    (HEAD.encode(), "holds no prices of Linux/UNIX."),
    (f"{HEAD}{ROW}soon,us-east-1a,c3.xlarge,1\n".encode(), "line 3: the time is 'soon'"),
    (f"{HEAD}{ROW.replace('0.05', '0')}".encode(), "line 2: the price is '0'; it has to be"),
    (f"{HEAD}{ROW.replace('0.05', 'nan')}".encode(), "the price is 'nan'"),
    (f"{HEAD}{ROW.replace('0.05', 'x')}".encode(), "the price is 'x'"),
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
