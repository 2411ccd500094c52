with orders as (

    select order_hk, store_id, order_id from {{ ref('hub_order') }}

),

current_versions as (

    select * from {{ ref('order_versions') }} where valid_to is null

),

buyers as (

    select order_hk, min(customer_hk) as customer_hk from {{ ref('link_customer_order') }} group by order_hk

),

articles as (

    select order_hk, count(*) as products from {{ ref('link_order_product') }} group by order_hk

),

items as (

    select store_id, order_id, count(*) as lines from {{ ref('stg_order_items') }} group by store_id, order_id

),

sales as (

    select
        store_id,
        order_id,
        {{ sales_columns() }}
    from {{ ref('sales_ledger') }}
    group by store_id, order_id

)

select
    orders.order_hk,
    orders.store_id,
    orders.order_id,
    buyers.customer_hk,
    current_versions.placed_at,
    current_versions.status,
    current_versions.channel,
    current_versions.currency,
    current_versions.is_test,
    current_versions.ship_country,
    current_versions.ship_region,
    current_versions.order_hk is not null as is_known,
    coalesce(items.lines, 0) as lines,
    coalesce(articles.products, 0) as products,
    coalesce(sales.quantity, 0) as quantity,
    coalesce(sales.gross_sales, 0) as gross_sales,
    coalesce(sales.net_sales, 0) as net_sales,
    coalesce(sales.gross_profit, 0) as gross_profit
from orders
left join current_versions on orders.order_hk = current_versions.order_hk
left join buyers on orders.order_hk = buyers.order_hk
left join articles on orders.order_hk = articles.order_hk
left join items on orders.store_id = items.store_id and orders.order_id = items.order_id
left join sales on orders.store_id = sales.store_id and orders.order_id = sales.order_id
