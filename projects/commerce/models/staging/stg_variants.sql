{{ config(materialized='view', schema='staging') }}

with source as (

    select * from {{ source('silver', 'variants') }}

)

select
    store_id,
    variant_id,
    updated_at,
    product_id,
    sku,
    option_name,
    reorder_point,
    is_deleted,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
