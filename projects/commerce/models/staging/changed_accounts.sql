{{ config(schema='staging') }}

-- Orders of which the view says something else, and links that are new.
with orders as (

    select order_hk
    from {{ penstock_changed(
        ref('vw_order_analytics'),
        ['order_hk'],
        columns=['placed_at', 'is_known', 'is_test', 'net_sales', 'returns', 'gross_profit'],
    ) }}

),

linked as (

    select links.customer_hk
    from {{ ref('link_customer_order') }} as links
    semi join orders on links.order_hk = orders.order_hk
    union all
    select customer_hk from {{ penstock_changes(ref('link_customer_order')) }}

)

select store_id, customer_id from {{ penstock_changes(source('silver', 'customers')) }}
union
select customers.store_id, customers.customer_id
from {{ ref('hub_customer') }} as customers
semi join linked on customers.customer_hk = linked.customer_hk
union
select customers.store_id, customers.customer_id
from {{ ref('hub_customer') }} as customers
semi join {{ penstock_changes(ref('int_stores')) }} as stores on customers.store_id = stores.store_id
