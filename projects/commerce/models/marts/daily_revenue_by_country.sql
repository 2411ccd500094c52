select
    store_id,
    business_date as date_key,
    coalesce(ship_country, 'unknown') as country,
    any_value(base_currency) as base_currency,
    {{ sales_columns() }}
from {{ ref('sales_ledger') }}
where not is_test and product_key <> 'none'
group by store_id, business_date, coalesce(ship_country, 'unknown')
