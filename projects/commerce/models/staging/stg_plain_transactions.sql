{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'plain_transactions') }}

)

select
    transaction_id,
    customer_id,
    product_id,
    quantity,
    amount,
    region,
    occurred_at,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
