{{ penstock_by_key(['store_id', 'order_id'], affected='changed_numbers', slice_by='date_key') }}

with combined as (

    select * from {{ penstock_affected(ref('int_order_totals')) }}

),

numbers as (

    select * from {{ penstock_affected(ref('int_order_numbers')) }}

)

select
    combined.store_id,
    combined.order_id,
    combined.placed_date as date_key,
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
    case when combined.is_wholly_cancelled then combined.cancelled_date end as wholly_cancelled_date,
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
    cast(combined.other_currency_payments as integer) as other_currency_payments,
    combined.is_paid,
    cast(combined.failed_payments as integer) as failed_payments,
    combined.payment_method,
    combined.paid_at,
    combined.shipped_at,
    combined.delivered_at
from combined
left join numbers
    on combined.store_id = numbers.store_id
    and combined.order_id = numbers.order_id
