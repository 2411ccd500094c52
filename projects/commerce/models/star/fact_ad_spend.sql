with spend as (

    select
        spend.store_id,
        spend.spend_date,
        spend.channel,
        spend.campaign,
        spend.currency,
        spend.amount,
        stores.base_currency
    from {{ ref('stg_ad_spend') }} as spend
    left join {{ ref('int_stores') }} as stores on spend.store_id = stores.store_id

)

select
    spend.store_id,
    spend.spend_date as date_key,
    spend.channel,
    spend.campaign,
    spend.currency,
    spend.amount,
    spend.base_currency,
    {{ in_base('spend.amount', 'case when spend.currency = spend.base_currency then 1 else rates.rate end') }}
        as base_amount
from spend
left join {{ ref('stg_fx_rates') }} as rates
    on spend.spend_date = rates.rate_date
    and spend.currency = rates.from_currency
    and spend.base_currency = rates.to_currency
