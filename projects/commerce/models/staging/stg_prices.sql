{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'prices') }}

)

select
    store_id,
    variant_id,
    valid_from,
    list_price,
    currency,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
