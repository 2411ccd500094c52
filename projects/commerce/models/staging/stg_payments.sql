{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'payments') }}

)

select
    store_id,
    payment_id,
    order_id,
    user_id,
    merchant_id,
    merchant_category,
    payment_method,
    status,
    attempt,
    amount,
    currency,
    fee,
    occurred_at,
    location,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
