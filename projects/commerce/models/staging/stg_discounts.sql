{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'discounts') }}

)

select
    store_id,
    order_id,
    line_no,
    allocation_no,
    code,
    amount,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
