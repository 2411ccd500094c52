{{ penstock_by_key(['store_id', 'date_key'], affected='changed_spending') }}

with ranked as (

    select
        store_id,
        date_key,
        row_number() over (partition by store_id, date_key order by spend desc, user_id) as position,
        user_id,
        base_currency,
        payments,
        spend
    from {{ penstock_affected(ref('daily_user_spend')) }}

)

select
    store_id,
    date_key,
    cast(position as integer) as position,
    user_id,
    base_currency,
    payments,
    spend
from ranked
where position <= 10
