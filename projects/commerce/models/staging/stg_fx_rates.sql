{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'fx_rates') }}

)

select
    rate_date,
    from_currency,
    to_currency,
    rate,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
