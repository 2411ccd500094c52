{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'touches') }}

)

select
    store_id,
    touch_id,
    session_id,
    customer_id,
    occurred_at,
    channel,
    source,
    medium,
    campaign,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
