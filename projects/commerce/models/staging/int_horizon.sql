{{ config(schema='staging') }}

with latest as (

    select max(updated_at) as instant from {{ ref('stg_orders') }}
    union all
    select max(occurred_at) as instant from {{ ref('stg_order_events') }}
    union all
    select max(occurred_at) as instant from {{ ref('stg_payments') }}
    union all
    select max(updated_at) as instant from {{ ref('stg_shipment_lines') }}
    union all
    select max(refunded_at) as instant from {{ ref('stg_refund_lines') }}
    union all
    select max(received_at) as instant from {{ ref('stg_return_lines') }}
    union all
    select max(ended_at) as instant from {{ ref('stg_sessions') }}
    union all
    select max(occurred_at) as instant from {{ ref('stg_inventory_movements') }}
    union all
    select max(occurred_at) as instant from {{ ref('stg_plain_transactions') }}

)

select cast(max(instant) as date) as last_day
from latest
having max(instant) is not null
