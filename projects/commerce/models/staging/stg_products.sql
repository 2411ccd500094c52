{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'products') }}

)

select
    store_id,
    product_id,
    updated_at,
    name,
    category,
    subcategory,
    brand,
    status,
    is_deleted,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
