{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'inventory_movements') }}

)

select
    store_id,
    movement_id,
    variant_id,
    location,
    quantity,
    reason,
    occurred_at,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
