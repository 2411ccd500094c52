select
    store_id,
    business_date as date_key,
    merchant_id,
    coalesce(min(merchant_category), 'unknown') as merchant_category,
    any_value(base_currency) as base_currency,
    count(*) as payments,
    count(distinct user_id) as users,
    {{ base_sum('base_amount') }} as revenue,
    count(*) filter (where base_amount is null) as payments_without_rate,
    string_agg(distinct currency, ', ' order by currency) filter (where base_amount is null) as currencies_without_rate
from {{ ref('int_payments') }}
where status = 'captured' and merchant_id is not null and not is_test
group by store_id, business_date, merchant_id
