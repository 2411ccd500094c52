{{ config(materialized='view', schema='staging') }}

select
    store_id,
    customer_id,
    order_id,
    _tenant as tenant,
    _source as record_source,
    _ingested_at as loaded_at,
    _new
from {{ source('silver', 'orders') }}
where customer_id is not null
