{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'stores') }}

)

select
    store_id,
    name,
    timezone,
    base_currency,
    prices_include_tax,
    updated_at,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
