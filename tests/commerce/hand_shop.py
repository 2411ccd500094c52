"""A shop of two stores written by hand, small enough to be calculated on paper."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.lake.relocate import relocate
from penstock.world import real_world
from tests.flows.command import ROOT, Done, call

COMMERCE = ROOT / "projects" / "commerce"
HEADERS = {
    "stores": "store_id,name,timezone,base_currency,prices_include_tax,updated_at",
    "customers": "store_id,customer_id,updated_at,region,segment,is_member,marketing_consent,created_at,is_deleted",
    "products": "store_id,product_id,updated_at,name,category,status,is_deleted",
    "variants": "store_id,variant_id,updated_at,product_id,sku,reorder_point,is_deleted",
    "product_costs": "store_id,variant_id,valid_from,unit_cost,currency",
    "orders": "store_id,order_id,updated_at,customer_id,placed_at,status,channel,currency,is_test,ship_country",
    "order_items": "store_id,order_id,line_no,variant_id,product_id,quantity,list_price",
    "order_events": "store_id,event_id,order_id,line_no,event_type,quantity,occurred_at",
    "discounts": "store_id,order_id,line_no,allocation_no,code,amount",
    "taxes": "store_id,order_id,line_no,allocation_no,rate,amount",
    "shipping_charges": "store_id,order_id,amount",
    "gift_card_sales": "store_id,order_id,line_no,amount",
    "payments": "store_id,payment_id,order_id,user_id,merchant_id,merchant_category,payment_method,status,attempt,"
    "amount,currency,occurred_at",
    "refund_lines": "store_id,refund_id,line_no,order_id,order_line_no,quantity,amount,refunded_at",
    "return_lines": "store_id,return_id,line_no,order_id,order_line_no,quantity,restocked,received_at",
    "shipment_lines": "store_id,shipment_id,line_no,order_id,order_line_no,quantity,carrier,shipped_at,delivered_at,"
    "updated_at",
    "ad_spend": "store_id,spend_date,channel,campaign,currency,amount",
    "fx_rates": "rate_date,from_currency,to_currency,rate",
    "identity_edges": "store_id,id_type,id_value,valid_from,person_id,valid_to,updated_at",
}
# Berlin is an hour ahead of UTC until 31 March, then two; New York five behind until 10 March 07:00 UTC, then four.
ROWS: Mapping[str, tuple[str, ...]] = {
    "stores": (
        "berlin,Berlin,Europe/Berlin,EUR,true,2024-01-01T00:00:00Z",
        "newyork,New York,America/New_York,USD,false,2024-01-01T00:00:00Z",
        "apia,Apia,Pacific/Apia,WST,true,2011-01-01T00:00:00Z",
    ),
    # c1 joins the programme on 10 March; the version of February says nothing new.
    "customers": (
        "berlin,c1,2024-01-01T00:00:00Z,North,consumer,false,true,2024-01-01T00:00:00Z,false",
        "berlin,c1,2024-02-01T00:00:00Z,North,consumer,false,true,2024-01-01T00:00:00Z,false",
        "berlin,c1,2024-03-10T12:00:00Z,North,consumer,true,true,2024-01-01T00:00:00Z,false",
        "berlin,c2,2024-03-08T00:00:00Z,South,business,false,true,2024-01-01T00:00:00Z,false",
    ),
    "products": (
        "berlin,p1,2024-01-01T00:00:00Z,Lamp,Lighting,active,false",
        "berlin,p2,2024-01-01T00:00:00Z,Atlas,Books,active,false",
        "newyork,p1,2024-01-01T00:00:00Z,Pen,Writing,active,false",
    ),
    "variants": (
        "berlin,v1,2024-01-01T00:00:00Z,p1,LAMP,2,false",
        "berlin,v2,2024-01-01T00:00:00Z,p2,ATLAS,,false",
        "newyork,v1,2024-01-01T00:00:00Z,p1,PEN,5,false",
    ),
    "product_costs": (
        "berlin,v1,2024-01-01T00:00:00Z,4.00,EUR",
        "berlin,v1,2024-03-10T00:00:00Z,5.00,EUR",
        "berlin,v1,2024-03-12T00:00:00Z,6.00,EUR",
        "berlin,v2,2024-01-01T00:00:00Z,2.00,USD",
        "newyork,v1,2024-01-01T00:00:00Z,6.00,USD",
    ),
    "fx_rates": (
        "2024-03-09,EUR,USD,1.10000000",
        "2024-03-10,USD,EUR,0.90000000",
        "2024-03-11,USD,EUR,0.95000000",
        "2024-03-12,USD,EUR,0.50000000",
    ),
    # Both accounts are one person's; what once tied c2 to another is taken back.
    "identity_edges": (
        "berlin,customer,c1,2024-01-01T00:00:00Z,someone,,2024-01-01T00:00:00Z",
        "berlin,customer,c2,2024-01-01T00:00:00Z,other,2024-02-01T00:00:00Z,2024-02-01T00:00:00Z",
        "berlin,customer,c2,2024-02-01T00:00:00Z,someone,,2024-02-01T00:00:00Z",
    ),
    # berlin o1 after midnight, o2 of a guest in dollars, o3 a test, o4 cancelled; newyork o1 the evening before.
    "orders": (
        "berlin,o1,2024-03-10T23:30:00Z,c1,2024-03-10T23:30:00Z,placed,web,EUR,false,DE",
        "berlin,o1,2024-03-10T23:31:00Z,c1,2024-03-10T23:30:00Z,paid,web,EUR,false,DE",
        "berlin,o2,2024-03-10T10:00:00Z,,2024-03-10T10:00:00Z,paid,app,USD,false,AT",
        "berlin,o3,2024-03-10T10:00:00Z,c1,2024-03-10T10:00:00Z,paid,web,EUR,true,DE",
        "berlin,o4,2024-03-05T10:00:00Z,c2,2024-03-05T10:00:00Z,cancelled,web,EUR,false,DE",
        "newyork,o1,2024-03-10T03:30:00Z,c9,2024-03-10T03:30:00Z,placed,web,EUR,false,US",
        "newyork,o2,2024-03-10T07:30:00Z,c9,2024-03-10T07:30:00Z,paid,store,USD,false,US",
    ),
    "order_items": (
        "berlin,o1,1,v1,p1,4,10.00",
        "berlin,o1,2,v2,p2,2,7.50",
        "berlin,o2,1,v1,p1,1,20.00",
        "berlin,o3,1,v1,p1,100,10.00",
        "berlin,o4,1,v1,p1,2,10.00",
        "newyork,o1,1,v1,p1,3,12.00",
        "newyork,o2,1,v1,p1,1,15.00",
    ),
    "discounts": ("berlin,o1,1,1,SPRING,4.00", "berlin,o1,1,2,MEMBER,2.00", "berlin,o4,1,1,SPRING,0.01"),
    "taxes": ("berlin,o1,1,1,0.19,6.46", "berlin,o1,2,1,0.19,2.85"),
    "shipping_charges": ("berlin,o1,4.90",),
    "gift_card_sales": ("berlin,o1,3,25.00",),
    # Of o4 one unit is cancelled, then the whole order.
    "order_events": (
        "berlin,e1,o1,1,cancelled,1,2024-03-11T10:00:00Z",
        "berlin,e2,o4,1,cancelled,1,2024-03-06T10:00:00Z",
        "berlin,e3,o4,,cancelled,,2024-03-06T11:00:00Z",
        "berlin,e4,o1,,paid,,2024-03-10T23:31:00Z",
    ),
    # Refunded on 1 April in Berlin, on 31 March in UTC; received a minute before midnight.
    "refund_lines": (
        "berlin,r1,1,o1,1,2,17.00,2024-03-31T22:30:00Z",
        "berlin,r2,1,o2,1,1,25.00,2024-03-12T10:00:00Z",
    ),
    "return_lines": (
        "berlin,b1,1,o1,1,1,true,2024-03-31T21:59:00Z",
        "berlin,b1,2,o1,1,1,false,2024-03-31T21:59:00Z",
    ),
    "shipment_lines": (
        "berlin,s1,1,o1,1,1,post,2024-03-11T12:00:00Z,2024-03-12T09:00:00Z,2024-03-12T09:00:00Z",
        "berlin,s2,1,o1,1,2,post,2024-03-12T09:00:00Z,2024-03-13T09:00:00Z,2024-03-13T09:00:00Z",
        "berlin,s2,2,o1,2,2,post,2024-03-12T09:00:00Z,,2024-03-12T09:00:00Z",
        "berlin,s3,1,o3,1,9,post,2024-03-12T09:00:00Z,2024-03-13T09:00:00Z,2024-03-13T09:00:00Z",
    ),
    "payments": (
        "berlin,t1,o1,c1,,,card,failed,1,88.21,EUR,2024-03-10T23:30:30Z",
        "berlin,t2,o1,c1,,,wallet,captured,2,88.21,EUR,2024-03-10T23:31:00Z",
        "berlin,t3,o1,c1,,,wallet,refunded,1,25.50,EUR,2024-03-31T22:40:00Z",
        "berlin,t4,o2,g,,,card,captured,1,20.00,USD,2024-03-10T10:01:00Z",
        "berlin,t8,o2,g,,,card,captured,2,7.00,EUR,2024-03-10T10:02:00Z",
        "berlin,t5,,c1,m1,travel,card,captured,1,50.00,EUR,2024-03-10T23:15:00Z",
        "berlin,t6,,c1,m1,travel,card,captured,1,10.00,USD,2024-03-10T12:00:00Z",
        "berlin,t7,,c1,m1,travel,card,failed,1,99.00,EUR,2024-03-10T12:00:00Z",
        "newyork,t1,o2,c9,,,card,captured,1,15.00,USD,2024-03-10T07:31:00Z",
        "newyork,t2,o2,c9,,,card,captured,2,15.00,USD,2024-03-10T07:31:02Z",
    ),
    # Samoa went from the 29th of December 2011 to the 31st.
    "ad_spend": (
        "berlin,2024-03-11,email,brand,EUR,30.00",
        "berlin,2024-03-11,email,brand,USD,10.00",
        "apia,2011-12-30,email,brand,WST,1.00",
    ),
}
# w1 begins before midnight in Berlin and places o1 after it; w4 is of the staff and places the test order.
SESSIONS = (
    ("berlin", "w1", "c1", "2024-03-10T22:50:00Z", "2024-03-10T23:40:00Z", False, False),
    ("berlin", "w2", None, "2024-03-10T22:50:00Z", "2024-03-10T22:55:00Z", True, False),
    ("berlin", "w3", None, "2024-03-10T23:10:00Z", "2024-03-10T23:15:00Z", False, False),
    ("berlin", "w4", None, "2024-03-10T09:50:00Z", "2024-03-10T10:10:00Z", False, True),
    ("berlin", "w5", "c2", "2024-03-01T09:50:00Z", "2024-03-01T10:10:00Z", False, False),
    ("newyork", "w1", None, "2024-05-20T15:00:00Z", "2024-05-20T15:10:00Z", False, False),
)
MOVEMENTS = (
    ("berlin", "i1", "v1", "warehouse", 3, "opening", "2024-01-01T00:00:00Z"),
    ("berlin", "i2", "v1", "warehouse", -4, "shipment", "2024-05-01T00:00:00Z"),
    ("berlin", "i3", "v1", "shop", 2, "purchase", "2024-05-01T00:00:00Z"),
    ("newyork", "i1", "v1", "shop", 6, "opening", "2024-01-01T00:00:00Z"),
)
SESSION_ORDERS = (("berlin", "w1", "o1"), ("berlin", "w4", "o3"), ("berlin", "w2", "o2"))
TOUCHES = (
    ("berlin", "h1", "w5", "c2", "2024-03-01T09:50:00Z", "email"),
    ("berlin", "h2", "w1", "c1", "2024-03-10T22:50:00Z", "direct"),
    ("berlin", "h3", "w1", "c1", "2024-01-10T22:50:00Z", "social"),
)


def begin(data: Path, compiled: Path) -> None:
    """Make a data directory in which nothing is left to compile."""
    shutil.copytree(compiled, data, symlinks=True)
    relocate(data, real_world())


@dataclass(frozen=True)
class Shop:
    """The project of the repository with an inbox and data of its own."""

    folder: Path

    @classmethod
    def at(cls, folder: Path, compiled: Path) -> Shop:
        """A shop with nothing in it yet, whose models are `compiled` already."""
        begin(folder / "data", compiled)
        return cls(folder)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    def deliver(self, dataset: str, *lines: str, name: str = "first", version: int = 1) -> None:
        folder = self.inbox / dataset
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{line}\n" for line in (HEADERS[dataset], *lines))
        (folder / f"{dataset}-{name}.v{version}.csv").write_text(text, encoding="utf-8")

    def deliver_json(self, dataset: str, rows: Sequence[Mapping[str, object]], *, version: int = 1) -> None:
        folder = self.inbox / dataset
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{dataset}-first.v{version}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def deliver_parquet(self, dataset: str, rows: list[dict[str, object]]) -> None:
        folder = self.inbox / dataset
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{dataset}-first.v1.parquet")

    def deliver_all(self) -> None:
        self.deliver_text(*ROWS)
        self.deliver_rest()

    def deliver_text(self, *datasets: str) -> None:
        for dataset in datasets:
            self.deliver(dataset, *ROWS[dataset])

    def deliver_sessions(self, *rows: tuple[str, str, str | None, str, str, bool, bool], version: int = 1) -> None:
        names = ("store_id", "session_id", "customer_id", "started_at", "ended_at", "is_bot", "is_staff")
        sessions = [dict(zip(names, row, strict=True)) | {"anonymous_id": "d"} for row in rows]
        self.deliver_json("sessions", sessions, version=version)

    def deliver_rest(self) -> None:
        """What is not CSV: visits and stock."""
        self.deliver_sessions(*SESSIONS)
        pair = ("store_id", "session_id", "order_id")
        self.deliver_json("session_orders", [dict(zip(pair, row, strict=True)) for row in SESSION_ORDERS])
        names = ("store_id", "touch_id", "session_id", "customer_id", "occurred_at", "channel")
        self.deliver_json("touches", [dict(zip(names, row, strict=True)) for row in TOUCHES])

        columns = ("store_id", "movement_id", "variant_id", "location", "quantity", "reason", "occurred_at")
        self.deliver_parquet("inventory_movements", [dict(zip(columns, row, strict=True)) for row in MOVEMENTS])

    def call(self, *arguments: str) -> Done:
        environment = {"COMMERCE_INBOX": str(self.inbox), "PENSTOCK_PSEUDONYM_KEY": "a key for tests"}
        place = ("--project", str(COMMERCE), "--data-dir", str(self.folder / "data"))
        return call(*arguments, *place, environment=environment)

    def run(self, expected: int = 0) -> dict[str, Any]:
        report: dict[str, Any] = self.call("run", "--json").expect(expected).document
        return report

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query; numbers with a point are decimals."""
        answer = self.call("query", sql, "--format", "json").expect(0)
        return [tuple(row.values()) for row in json.loads(answer.output, parse_float=Decimal)]
