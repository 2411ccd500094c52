select
    store_id,
    business_date as date_key,
    user_id,
    any_value(base_currency) as base_currency,
    count(*) as payments,
    {{ base_sum('base_amount') }} as spend
from {{ ref('int_payments') }}
where status = 'captured' and user_id is not null and not is_test
group by store_id, business_date, user_id
