with stock as (

    select
        store_id,
        variant_id,
        cast(sum(on_hand) as bigint) as on_hand,
        cast(sum(shipped_30_days) as bigint) as shipped_30_days
    from {{ ref('stock_levels') }}
    group by store_id, variant_id

),

products as (

    select store_id, product_id, name, category, status from {{ ref('dim_product') }} where is_current

)

select
    variants.store_id,
    variants.variant_id,
    variants.product_id,
    variants.sku,
    products.name,
    coalesce(products.category, 'unknown') as category,
    coalesce(stock.on_hand, 0) as on_hand,
    coalesce(stock.shipped_30_days, 0) as shipped_30_days,
    variants.reorder_point,
    coalesce(
        not variants.is_deleted
        and products.status is distinct from 'discontinued'
        and coalesce(stock.on_hand, 0) <= variants.reorder_point,
        false
    ) as needs_reorder
from {{ ref('int_variants_current') }} as variants
left join stock on variants.store_id = stock.store_id and variants.variant_id = stock.variant_id
left join products on variants.store_id = products.store_id and variants.product_id = products.product_id
