with stores as (

    select store_id, base_currency from {{ ref('int_stores') }}

)

select
    sales.store_id,
    sales.business_date as date_key,
    sales.category,
    any_value(stores.base_currency) as base_currency,
    {{ total_sales_columns() }}
from {{ ref('int_daily_sales') }} as sales
left join stores on sales.store_id = stores.store_id
group by sales.store_id, sales.business_date, sales.category
