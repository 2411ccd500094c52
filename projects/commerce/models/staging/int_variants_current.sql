{{ config(materialized='view', schema='staging') }}

select
    store_id,
    variant_id,
    updated_at,
    product_id,
    sku,
    option_name,
    reorder_point,
    is_deleted
from {{ ref('stg_variants') }}
qualify row_number() over (partition by store_id, variant_id order by updated_at desc) = 1
