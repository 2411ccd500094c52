{{ penstock_by_key(['store_id', 'order_id'], affected='changed_analytics', slice_by='placed_at') }}

{%- set sums = 'store_id, order_id, quantity, gross_sales, returns, net_sales' %}

with orders as (

    select order_hk, store_id, order_id from {{ penstock_affected(ref('hub_order')) }}

),

told as (

    select versions.* from {{ ref('sat_order') }} as versions semi join orders on versions.order_hk = orders.order_hk

),

current_versions as (

    select * from {{ vault_as_of('told', key='order_hk') }}

),

-- Links only ever come: those there were are in the row that stands.
buyers as (

    select order_hk, min(customer_hk) as customer_hk
    from (
        select order_hk, customer_hk from {{ penstock_came(ref('link_customer_order')) }}
        {%- if is_incremental() %}
        union all
        select order_hk, customer_hk from {{ penstock_stood() }}
        {%- endif %}
    )
    group by order_hk

),

items as (

    select
        store_id,
        order_id,
        count(*) as lines,
        count(distinct product_id) as products
    from {{ penstock_affected(ref('stg_order_items')) }}
    group by store_id, order_id

),

stores as (

    select store_id, base_currency from {{ ref('int_stores') }}

),

sales as (

    select {{ sums }}, cast(net_sales - cost as decimal(38, 12)) as gross_profit
    from {{ penstock_affected(ref('int_order_sales'), of='changed_sales') }}
    {%- if is_incremental() %}
    union all
    select {{ sums }}, gross_profit from {{ penstock_stood(but='changed_sales') }}
    {%- endif %}

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
    stores.base_currency,
    current_versions.is_test,
    current_versions.ship_country,
    current_versions.ship_region,
    current_versions.order_hk is not null as is_known,
    coalesce(items.lines, 0) as lines,
    coalesce(items.products, 0) as products,
    coalesce(sales.quantity, 0) as quantity,
    coalesce(sales.gross_sales, 0) as gross_sales,
    coalesce(sales.returns, 0) as returns,
    coalesce(sales.net_sales, 0) as net_sales,
    coalesce(sales.gross_profit, 0) as gross_profit
from orders
left join stores on orders.store_id = stores.store_id
left join current_versions on orders.order_hk = current_versions.order_hk
left join buyers on orders.order_hk = buyers.order_hk
left join items on orders.store_id = items.store_id and orders.order_id = items.order_id
left join sales on orders.store_id = sales.store_id and orders.order_id = sales.order_id
