{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'orders') }}

)

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
    ship_region,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
