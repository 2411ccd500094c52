{{ config(schema='staging') }}
{{ penstock_by_sums(['store_id', 'order_id', 'product_id', 'is_member'], counted='sales') }}

-- Counted apart: every line of an order has one sale, and a product may stand on several.
with entries as (

    select *
    from {{ penstock_moves_beside(
        ref('sales_ledger'), ref('dim_customer'), on=['customer_key'], columns=['is_member']
    ) }}
    where entry_type = 'sale' and not is_test

)

select
    store_id,
    order_id,
    product_id,
    is_member,
    {{ penstock_count() }} as sales
from entries
group by store_id, order_id, product_id, is_member
