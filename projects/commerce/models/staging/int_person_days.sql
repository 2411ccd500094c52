{{ config(schema='staging') }}
{{ penstock_by_sums(['store_id', 'person_id', 'business_date'], counted='entries') }}

-- What persons bought, on the day each entry of the ledger moves it; tests and guests are out.
with entries as (

    select *
    from {{ penstock_moves_beside(
        ref('sales_ledger'), ref('fact_orders'), on=['store_id', 'order_id'], columns=['person_id']
    ) }}
    where person_id is not null and not is_test

)

select
    store_id,
    person_id,
    business_date,
    {{ penstock_count() }} as entries,
    {{ base_sum(penstock_signed('base_amount'), 'is_net_sales') }} as net_sales,
    {{ base_sum(penstock_signed('base_cost')) }} as cost
from entries
group by store_id, person_id, business_date
