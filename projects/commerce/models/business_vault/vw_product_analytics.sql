with products as (

    select product_hk, store_id, product_id from {{ ref('hub_product') }}

),

current_versions as (

    select * from {{ ref('product_versions') }} where valid_to is null

),

stores as (

    select store_id, base_currency from {{ ref('int_stores') }}

),

sales as (

    select
        store_id,
        product_id,
        {{ total_sales_columns() }}
    from {{ ref('int_product_sales') }}
    where product_id is not null
    group by store_id, product_id

),

placed as (

    select store_id, product_id, cast(sum(orders) as bigint) as orders
    from {{ ref('int_product_orders') }}
    where product_id is not null
    group by store_id, product_id

)

select
    products.product_hk,
    products.store_id,
    products.product_id,
    current_versions.name as product_name,
    current_versions.category,
    current_versions.subcategory,
    current_versions.brand,
    current_versions.status,
    coalesce(current_versions.is_deleted, false) as is_deleted,
    current_versions.product_hk is not null as is_known,
    coalesce(placed.orders, 0) as orders,
    coalesce(sales.quantity, 0) as quantity,
    stores.base_currency,
    coalesce(sales.gross_sales, 0) as gross_sales,
    coalesce(sales.net_sales, 0) as net_sales,
    coalesce(sales.gross_profit, 0) as gross_profit
from products
left join stores on products.store_id = stores.store_id
left join current_versions on products.product_hk = current_versions.product_hk
left join sales on products.store_id = sales.store_id and products.product_id = sales.product_id
left join placed on products.store_id = placed.store_id and products.product_id = placed.product_id
