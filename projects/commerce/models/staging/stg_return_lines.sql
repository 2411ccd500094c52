{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'return_lines') }}

)

select
    store_id,
    return_id,
    line_no,
    order_id,
    order_line_no,
    quantity,
    restocked,
    received_at,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
