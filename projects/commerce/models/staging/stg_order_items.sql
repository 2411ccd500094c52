{{ config(materialized='view', schema='staging') }}

{% set columns -%}
    store_id,
    order_id,
    line_no,
    variant_id,
    product_id,
    quantity,
    list_price,
    _tenant,
    _source,
    _file,
    _line,
    _ingested_at,
    _new
{%- endset %}

-- A line that was told when it was placed counts until the one that is delivered takes its place.
with source as (

    select {{ columns }} from {{ source('silver', 'order_items') }}
    union all
    select {{ columns }}
    from {{ source('silver', 'order_lines') }} as told
    where not exists (
        select 1 from {{ source('silver', 'order_items') }} as delivered
        where delivered.store_id = told.store_id
            and delivered.order_id = told.order_id
            and delivered.line_no = told.line_no
    )

)

select
    store_id,
    order_id,
    line_no,
    variant_id,
    product_id,
    quantity,
    list_price,
    _tenant as tenant,
    _source as record_source,
    _file as source_file,
    _line as source_line,
    _ingested_at as loaded_at,
    _new
from source
