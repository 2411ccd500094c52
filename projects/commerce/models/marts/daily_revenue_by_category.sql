with entries as (

    select
        ledger.*,
        products.category
    from {{ ref('sales_ledger') }} as ledger
    inner join {{ ref('dim_product') }} as products on ledger.product_key = products.product_key
    where not ledger.is_test and ledger.product_key <> 'none'

)

select
    store_id,
    business_date as date_key,
    category,
    any_value(base_currency) as base_currency,
    {{ sales_columns() }}
from entries
group by store_id, business_date, category
