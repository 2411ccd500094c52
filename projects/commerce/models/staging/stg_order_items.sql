{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'order_items') }}

)

select
    store_id,
    order_id,
    line_no,
    variant_id,
    product_id,
    quantity,
    list_price,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
