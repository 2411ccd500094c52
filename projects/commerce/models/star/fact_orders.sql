{{ penstock_by_key(['store_id', 'order_id'], affected='changed_numbers', slice_by='date_key') }}

{%- set said -%}
    store_id, order_id, date_key, placed_at, status, channel, is_test, ship_country, ship_region, customer_key,
    customer_id, person_id, lines, ordered_quantity, cancelled_quantity, refunded_quantity, returned_quantity,
    is_wholly_cancelled, wholly_cancelled_date, currency, base_currency, amount, due_amount, refund_amount,
    base_amount, net_sales, cost, captured_amount, paid_back_amount, other_currency_payments, is_paid,
    failed_payments, payment_method, paid_at, shipped_at, delivered_at
{%- endset %}

with totals as (

    select
        * replace (
            cast(other_currency_payments as integer) as other_currency_payments,
            cast(failed_payments as integer) as failed_payments
        ),
        placed_date as date_key,
        case when is_wholly_cancelled then cancelled_date end as wholly_cancelled_date
    from {{ penstock_affected(ref('int_order_totals'), of='changed_orders') }}

),

combined as (

    select {{ said }} from totals
    {%- if is_incremental() %}
    union all
    select {{ said }} from {{ penstock_stood(but='changed_orders') }}
    {%- endif %}

),

numbers as (

    select store_id, order_id, order_number, is_new_customer
    from {{ penstock_affected(ref('int_order_numbers'), of='changed_placings') }}
    {%- if is_incremental() %}
    union all
    select store_id, order_id, order_number, is_new_customer from {{ penstock_stood(but='changed_placings') }}
    {%- endif %}

)

select
    combined.store_id,
    combined.order_id,
    combined.date_key,
    combined.placed_at,
    combined.status,
    combined.channel,
    combined.is_test,
    combined.ship_country,
    combined.ship_region,
    combined.customer_key,
    combined.customer_id,
    combined.person_id,
    numbers.order_number,
    coalesce(numbers.is_new_customer, false) as is_new_customer,
    combined.lines,
    combined.ordered_quantity,
    combined.cancelled_quantity,
    combined.refunded_quantity,
    combined.returned_quantity,
    combined.is_wholly_cancelled,
    combined.wholly_cancelled_date,
    combined.currency,
    combined.base_currency,
    combined.amount,
    combined.due_amount,
    combined.refund_amount,
    combined.base_amount,
    combined.net_sales,
    combined.cost,
    combined.captured_amount,
    combined.paid_back_amount,
    combined.other_currency_payments,
    combined.is_paid,
    combined.failed_payments,
    combined.payment_method,
    combined.paid_at,
    combined.shipped_at,
    combined.delivered_at
from combined
left join numbers
    on combined.store_id = numbers.store_id
    and combined.order_id = numbers.order_id
