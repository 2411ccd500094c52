{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'plain_customers') }}

)

select
    customer_id,
    name,
    email,
    region,
    created_at,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
