{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'order_events') }}

)

select
    store_id,
    event_id,
    order_id,
    line_no,
    event_type,
    quantity,
    occurred_at,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
