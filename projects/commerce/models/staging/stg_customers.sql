{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'customers') }}

)

select
    store_id,
    customer_id,
    updated_at,
    email,
    first_name,
    last_name,
    phone,
    country,
    region,
    city,
    segment,
    is_member,
    marketing_consent,
    created_at,
    is_deleted,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
