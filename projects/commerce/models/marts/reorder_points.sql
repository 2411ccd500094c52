with stock as (

    select
        store_id,
        variant_id,
        cast(sum(on_hand) as bigint) as on_hand,
        cast(sum(delivered_on_hand) as bigint) as delivered_on_hand,
        cast(sum(shipped_30_days) as bigint) as shipped_30_days
    from {{ ref('stock_levels') }}
    group by store_id, variant_id

),

products as (

    select store_id, product_id, name, category, status from {{ ref('dim_product') }} where is_current

),

variants as (

    select store_id, variant_id, product_id, sku, reorder_point, is_deleted
    from {{ ref('stg_variants') }}
    qualify row_number() over (partition by store_id, variant_id order by updated_at desc) = 1

),

offered as (

    select
        variants.store_id,
        variants.variant_id,
        variants.product_id,
        variants.sku,
        products.name,
        coalesce(products.category, 'unknown') as category,
        variants.reorder_point,
        not variants.is_deleted and products.status is distinct from 'discontinued' as is_on_sale
    from variants
    left join products on variants.store_id = products.store_id and variants.product_id = products.product_id

)

select
    offered.store_id,
    offered.variant_id,
    offered.product_id,
    offered.sku,
    offered.name,
    offered.category,
    coalesce(stock.on_hand, 0) as on_hand,
    coalesce(stock.delivered_on_hand, 0) as delivered_on_hand,
    coalesce(stock.shipped_30_days, 0) as shipped_30_days,
    offered.reorder_point,
    offered.is_on_sale,
    coalesce(offered.is_on_sale and coalesce(stock.on_hand, 0) <= offered.reorder_point, false) as needs_reorder
from offered
left join stock on offered.store_id = stock.store_id and offered.variant_id = stock.variant_id
