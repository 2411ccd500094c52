{{ penstock_by_key(['store_id', 'customer_id'], affected='changed_accounts') }}

with customers as materialized (

    select customer_hk, store_id, customer_id from {{ penstock_affected(ref('hub_customer')) }}

),

told as (

    select versions.*
    from {{ ref('sat_customer') }} as versions
    semi join customers on versions.customer_hk = customers.customer_hk

),

current_versions as (

    select * from ({{ vault_versions('told', key='customer_hk') }}) where valid_to is null

),

stores as (

    select store_id, base_currency from {{ ref('int_stores') }}

),

links as (

    select links.customer_hk, links.order_hk
    from {{ ref('link_customer_order') }} as links
    semi join customers on links.customer_hk = customers.customer_hk

),

-- A link stands once, and so does its order.
orders as (

    select
        links.customer_hk,
        count(*) as orders,
        min(placed.placed_at) as first_order_at,
        max(placed.placed_at) as last_order_at,
        {{ total('placed.net_sales') }} as net_sales,
        {{ total('placed.returns') }} as returns,
        {{ total('placed.gross_profit') }} as gross_profit
    from links
    inner join {{ ref('vw_order_analytics') }} as placed on links.order_hk = placed.order_hk
    where placed.is_known and not placed.is_test
    group by links.customer_hk

)

select
    customers.customer_hk,
    customers.store_id,
    customers.customer_id,
    current_versions.country,
    current_versions.region,
    current_versions.segment,
    current_versions.is_member,
    current_versions.created_at,
    coalesce(current_versions.is_deleted, false) as is_deleted,
    current_versions.customer_hk is not null as is_known,
    coalesce(orders.orders, 0) as orders,
    orders.first_order_at,
    orders.last_order_at,
    stores.base_currency,
    coalesce(orders.net_sales, 0) as net_sales,
    coalesce(orders.returns, 0) as returns,
    coalesce(orders.gross_profit, 0) as gross_profit
from customers
left join stores on customers.store_id = stores.store_id
left join current_versions on customers.customer_hk = current_versions.customer_hk
left join orders on customers.customer_hk = orders.customer_hk
