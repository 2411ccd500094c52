{{ config(schema='staging') }}
{{ penstock_by_sums(['store_id', 'product_id', 'is_member'], counted='orders') }}

select
    store_id,
    product_id,
    is_member,
    {{ penstock_count() }} as orders
from {{ penstock_moves(ref('int_order_products')) }}
group by store_id, product_id, is_member
