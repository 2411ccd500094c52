"""The outside world of this project: files arrive, first clean ones, then new ones with some dirt.

`penstock demo` calls the two deliveries and asks the questions. With the real files (UCI Online Retail, CC BY 4.0,
Chen, D. 2015) they are delivered; without, a small set of the same shape is made.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
from datetime import date, timedelta
from pathlib import Path

VARIABLE = "PENSTOCK_ONLINE_RETAIL"
HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
LATER_DAYS = 5
DIRTY_DAY = "2011-12-10.csv"

BEST_MONTHS = "SELECT month, invoices, customers, revenue FROM gold.monthly_revenue ORDER BY month DESC LIMIT 6"
BEST_CUSTOMERS = """
SELECT customer_key, segment, frequency, monetary_value, country
FROM gold.rfm_segments JOIN gold.dim_customer USING (customer_key)
ORDER BY monetary_value DESC, customer_key LIMIT 5
"""
REFUSED = """
SELECT _file AS file, _line AS line, array_to_string(codes, ', ') AS broken_rules
FROM quarantine.order_lines ORDER BY file, line
"""

QUESTIONS = (
    ("Which months brought how much, from how many customers?", BEST_MONTHS),
    ("Who are the best customers, and where do they live?", BEST_CUSTOMERS),
    ("What was refused, and why?", REFUSED),
)


NEXT = (
    ("query", "SELECT * FROM gold.top_products LIMIT 10"),
    ("quarantine", "show", "order_lines"),
    ("explain", "gold.fact_sales"),
    ("status",),
)


def first_delivery(inbox: Path) -> str:
    """Every day but the last few; says what it is."""
    real = _real_files()
    if real:
        _copy(inbox, real[:-LATER_DAYS])
        return "the shop's real files"
    _make_days(inbox, first=date(2011, 9, 1), days=60)
    return "a small made-up shop (the real files are not here)"


def second_delivery(inbox: Path) -> str:
    """The last days, one file again, and a day with dirt; says what it is."""
    real = _real_files()
    if real:
        _copy(inbox, real[-LATER_DAYS:])
    else:
        _make_days(inbox, first=date(2011, 10, 31), days=LATER_DAYS)
    again = sorted(inbox.glob("*.csv"))[0]
    again.write_bytes(again.read_bytes())
    (inbox / DIRTY_DAY).write_bytes(_DIRT)
    return "new days, one file again, and a day with dirt"


def _real_files() -> list[Path]:
    """The shop's files, by day; none where they are not."""
    folder = os.environ.get(VARIABLE)
    return [] if folder is None else sorted(Path(folder).glob("*.csv"))


def _copy(inbox: Path, files: list[Path]) -> None:
    for file in files:
        shutil.copyfile(file, inbox / file.name)


def _make_days(inbox: Path, *, first: date, days: int) -> None:
    """Days of the shape of the real files: the same days for the same arguments."""
    goods = [
        (f"{20_000 + 7 * n}{'ABC'[n % 3] if n % 4 == 0 else ''}", f"ARTICLE {n}", 50 + 37 * n % 1900)
        for n in range(300)
    ]
    countries = ("United Kingdom", "United Kingdom", "United Kingdom", "Germany", "France", "EIRE")
    for offset in range(days):
        day = first + timedelta(days=offset)
        chance = random.Random(day.toordinal())
        with (inbox / f"{day}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for number in range(20 + chance.randrange(20)):
                who = "" if chance.random() < 0.2 else f"{12_000 + int(600 * chance.random() ** 2)}.0"
                where = countries[len(who) and int(who[:5]) % len(countries)]
                at = f"{day} {8 + number % 10:02}:{chance.randrange(60):02}:00"
                taken_back = chance.random() < 0.03
                invoice = f"{'C' if taken_back else ''}{500_000 + day.toordinal() % 1_000 * 100 + number}"
                for code, name, pence in chance.sample(goods, 1 + chance.randrange(12)):
                    pieces = (-1 if taken_back else 1) * (1 + chance.randrange(24))
                    writer.writerow((invoice, code, name, pieces, at, f"{pence / 100:.2f}", who, where))


_DIRT = b"""InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
590001,22423,REGENCY CAKESTAND 3 TIER,4,2011-12-10 09:01:00,12.75,14911.0,EIRE
590001,85123A,WHITE HANGING HEART T-LIGHT HOLDER,six,2011-12-10 09:01:00,2.95,14911.0,EIRE
590002,22720,"SET OF 3 CAKE TINS,3,2011-12-10 10:15:00,4.95,12748.0,United Kingdom
590002,22386,JUMBO BAG PINK POLKADOT,10,2011-12-10 10:15:00,2.08,12748.0,United Kingdom
590003,,NO CODE AT ALL,1,2011-13-40 25:00:00,1.23456,abc,United Kingdom
590003,21034,TOO FEW FIELDS,1
590004,20725,LUNCH BAG RED RETROSPOT \xff,5,2011-12-10 11:30:00,1.65,17841.0,United Kingdom
590004,20727,LUNCH BAG BLACK SKULL.,5,2011-12-10 11:30:00,1.65,17841.0,United Kingdom
"""
