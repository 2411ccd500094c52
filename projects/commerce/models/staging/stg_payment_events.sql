{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'payment_events') }}

)

select
    txn_id,
    user_id,
    amount,
    currency,
    occurred_at,
    merchant_id,
    merchant_category,
    payment_method,
    status,
    location,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
