{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'sessions') }}

)

select
    store_id,
    session_id,
    customer_id,
    anonymous_id,
    started_at,
    ended_at,
    is_bot,
    is_staff,
    device,
    country,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
