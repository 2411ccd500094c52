{{ config(materialized='view', schema='staging') }}

-- The vault keeps what was told when an order was placed also where the line that is delivered says something else.
select
    store_id,
    order_id,
    product_id,
    _tenant as tenant,
    _source as record_source,
    _ingested_at as loaded_at,
    _new
from {{ source('silver', 'order_items') }}
union all
select
    store_id,
    order_id,
    product_id,
    _tenant as tenant,
    _source as record_source,
    _ingested_at as loaded_at,
    _new
from {{ source('silver', 'order_lines') }}
