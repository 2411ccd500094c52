{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'payment_id'], affected='changed_payments') }}

{%- set columns = [
    'store_id', 'payment_id', 'order_id', 'user_id', 'merchant_id', 'merchant_category', 'payment_method', 'status',
    'attempt', 'amount', 'currency', 'occurred_at',
] %}

with payments as (

    select *
    from {{ affected_rows(
        ref('stg_payments'),
        source('silver', 'payments'),
        columns=columns
    ) }}
    union all
    select
        '{{ var("plain_store") }}' as store_id,
        txn_id as payment_id,
        null as order_id,
        user_id,
        merchant_id,
        merchant_category,
        payment_method,
        case
            when lower(status) in ('captured', 'completed', 'success', 'succeeded', 'settled', 'paid') then 'captured'
            when lower(status) in ('refunded', 'reversed') then 'refunded'
            when lower(status) in ('authorized', 'pending') then 'authorized'
            else 'failed'
        end as status,
        null as attempt,
        amount,
        currency,
        occurred_at
    from {{ ref('stg_payment_events') }}

),

located as (

    select
        payments.*,
        {{ local_day("coalesce(stores.timezone, 'UTC')", 'payments.occurred_at') }} as business_date,
        stores.base_currency,
        orders.placed_date,
        coalesce(orders.is_test, false) as is_test
    from payments
    left join {{ ref('int_stores') }} as stores on payments.store_id = stores.store_id
    left join {{ ref('int_orders') }} as orders
        on payments.store_id = orders.store_id
        and payments.order_id = orders.order_id

)

select
    located.store_id,
    located.payment_id,
    located.order_id,
    located.user_id,
    located.merchant_id,
    located.merchant_category,
    located.payment_method,
    located.status,
    located.attempt,
    located.occurred_at,
    located.business_date,
    located.is_test,
    located.currency,
    located.base_currency,
    located.amount,
    {{ in_base(
        'located.amount', 'case when located.currency = located.base_currency then 1 else rates.rate end'
    ) }} as base_amount
from located
left join {{ ref('stg_fx_rates') }} as rates
    on coalesce(located.placed_date, located.business_date) = rates.rate_date
    and located.currency = rates.from_currency
    and located.base_currency = rates.to_currency
