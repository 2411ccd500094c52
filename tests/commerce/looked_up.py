"""What the shop's topologies look up, in a few rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pyarrow as pa

TABLES = {
    "silver.stores": pa.table({"store_id": ["s"], "base_currency": ["EUR"], "timezone": ["Europe/Berlin"]}),
    "silver.fx_rates": pa.table(
        {
            "rate_date": [date(2020, 1, 1)],
            "from_currency": ["USD"],
            "to_currency": ["EUR"],
            "rate": pa.array([Decimal("0.90000000")], pa.decimal128(18, 8)),
        }
    ),
    "gold.dim_customer": pa.table(
        {
            "store_id": ["s", "s"],
            "customer_id": ["u0", "u0"],
            "is_current": [True, False],
            "region": ["north", "south"],
            "segment": ["gold", "plain"],
        }
    ),
    "gold.fact_orders": pa.table(
        {
            "store_id": ["s", "s"],
            "order_id": ["o1", "o2"],
            "currency": ["USD", "EUR"],
            "base_currency": ["EUR", "EUR"],
            "is_test": [False, True],
            "date_key": [date(2020, 1, 1), date(2020, 1, 1)],
            "amount": pa.array([Decimal("27.9999"), Decimal("9.0000")], pa.decimal128(24, 4)),
        }
    ),
    "gold.fact_sales": pa.table(
        {
            "store_id": ["s", "s"],
            "order_id": ["o1", "o1"],
            "line_no": [1, 2],
            "ordered_quantity": [3, 1],
            "gross_amount": pa.array([Decimal("30.0000"), Decimal("5.0000")], pa.decimal128(24, 4)),
            "discount_amount": pa.array([Decimal("7.0001"), Decimal("0.0000")], pa.decimal128(24, 4)),
        }
    ),
    "gold.reorder_points": pa.table(
        {
            "store_id": ["s", "s"],
            "variant_id": ["v1", "gone"],
            "sku": ["S1", "S2"],
            "category": ["tea", "tea"],
            "reorder_point": [105, 105],
            "is_on_sale": [True, False],
            "delivered_on_hand": [100, 100],
        }
    ),
}
