{{ penstock_by_sums(
    ['store_id', 'date_key', 'user_id', 'base_currency'], counted='payments', slice_by='date_key'
) }}

select
    store_id,
    business_date as date_key,
    user_id,
    base_currency,
    {{ penstock_count() }} as payments,
    {{ base_sum(penstock_signed('base_amount')) }} as spend
from {{ penstock_moves(ref('int_payments')) }}
where status = 'captured' and user_id is not null and not is_test
group by store_id, business_date, user_id, base_currency
