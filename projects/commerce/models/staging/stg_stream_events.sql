{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'stream_events') }}

)

select
    event_id,
    user_id,
    event_type,
    session_id,
    product_id,
    amount,
    occurred_at,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
