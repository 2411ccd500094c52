{{ config(schema='staging') }}
{{ penstock_by_sums(['store_id', 'product_id', 'is_member'], counted='entries') }}

with entries as (

    select *
    from {{ penstock_moves_beside(
        ref('sales_ledger'), ref('dim_customer'), on=['customer_key'], columns=['is_member']
    ) }}
    where not is_test and product_key <> 'none'

)

select
    store_id,
    product_id,
    is_member,
    {{ penstock_count() }} as entries,
    {{ moved_sales_columns() }},
    coalesce({{ penstock_count() }} filter (where entry_type = 'sale' and base_cost is null), 0) as lines_without_cost
from entries
group by store_id, product_id, is_member
