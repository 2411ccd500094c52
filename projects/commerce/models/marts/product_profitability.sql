with totals as (

    select
        store_id,
        coalesce(product_id, 'unknown') as product_id,
        is_member,
        {{ total_sales_columns() }},
        cast(sum(lines_without_cost) as bigint) as lines_without_cost
    from {{ ref('int_product_sales') }}
    group by store_id, coalesce(product_id, 'unknown'), is_member

),

placed as (

    select
        store_id,
        coalesce(product_id, 'unknown') as product_id,
        is_member,
        cast(sum(orders) as bigint) as orders
    from {{ ref('int_product_orders') }}
    group by store_id, coalesce(product_id, 'unknown'), is_member

),

products as (

    select store_id, product_id, name, category from {{ ref('dim_product') }} where is_current

),

stores as (

    select store_id, base_currency from {{ ref('int_stores') }}

)

select
    totals.store_id,
    totals.product_id,
    products.name,
    coalesce(products.category, 'unknown') as category,
    totals.is_member,
    stores.base_currency,
    placed.orders,
    totals.quantity,
    totals.gross_sales,
    totals.discounts,
    totals.cancellations,
    totals.returns,
    totals.net_sales,
    totals.cost,
    totals.gross_profit,
    totals.lines_without_cost
from totals
inner join placed
    on totals.store_id = placed.store_id
    and totals.product_id = placed.product_id
    and totals.is_member is not distinct from placed.is_member
left join products on totals.store_id = products.store_id and totals.product_id = products.product_id
left join stores on totals.store_id = stores.store_id
