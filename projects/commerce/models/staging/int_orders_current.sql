{{ config(materialized='view', schema='staging') }}

select
    store_id,
    order_id,
    updated_at,
    customer_id,
    placed_at,
    status,
    channel,
    currency,
    is_test,
    ship_country,
    ship_region
from {{ ref('stg_orders') }}
qualify row_number() over (partition by store_id, order_id order by updated_at desc) = 1
