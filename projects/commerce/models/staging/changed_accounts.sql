{{ config(schema='staging') }}

select store_id, customer_id from {{ penstock_changes(source('silver', 'customers')) }}
union
select store_id, customer_id from {{ penstock_changes(source('silver', 'orders')) }} where customer_id is not null
union
select customers.store_id, customers.customer_id
from {{ ref('hub_customer') }} as customers
inner join {{ ref('link_customer_order') }} as links on customers.customer_hk = links.customer_hk
semi join {{ penstock_changes(ref('vw_order_analytics')) }} as placed on links.order_hk = placed.order_hk
