{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'session_orders') }}

)

select
    store_id,
    session_id,
    order_id,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
