{{ config(schema='staging') }}

select store_id, product_id from {{ penstock_changes(source('silver', 'products')) }}
union
select '{{ var("plain_store") }}' as store_id, product_id
from {{ penstock_changes(source('silver', 'plain_products')) }}
