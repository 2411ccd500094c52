{{ config(materialized='view', schema='staging') }}

select
    store_id,
    product_id,
    updated_at,
    name,
    category,
    subcategory,
    brand,
    status,
    is_deleted
from {{ ref('stg_products') }}
qualify row_number() over (partition by store_id, product_id order by updated_at desc) = 1
