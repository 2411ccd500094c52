{{ config(schema='staging') }}
{{ penstock_by_sums(['store_id', 'business_date', 'ship_country', 'category'], counted='entries') }}

with entries as (

    select *
    from {{ penstock_moves_beside(
        ref('sales_ledger'), ref('dim_product'), on=['product_key'], columns=['category']
    ) }}
    where not is_test and product_key <> 'none'

)

select
    store_id,
    business_date,
    ship_country,
    category,
    {{ penstock_count() }} as entries,
    {{ moved_sales_columns() }}
from entries
group by store_id, business_date, ship_country, category
