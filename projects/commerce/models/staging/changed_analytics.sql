{{ config(schema='staging') }}

select store_id, order_id from {{ penstock_changes(source('silver', 'orders')) }}
union
select store_id, order_id from {{ ref('changed_sales') }}
union
select orders.store_id, orders.order_id
from {{ ref('hub_order') }} as orders
semi join {{ penstock_changes(ref('int_stores')) }} as stores on orders.store_id = stores.store_id
