{{ config(schema='staging') }}

select store_id, order_id from {{ ref('changed_headers') }}
union
select store_id, order_id from {{ ref('changed_sales') }}
union
select store_id, order_id
from {{ penstock_changes(source('silver', 'payments')) }}
where order_id is not null
union
select store_id, order_id from {{ penstock_changes(source('silver', 'shipment_lines')) }}
