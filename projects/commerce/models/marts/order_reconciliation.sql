{{ penstock_by_key(['store_id', 'order_id'], affected='changed_orders', slice_by='date_key') }}

with orders as (

    select
        store_id,
        order_id,
        placed_date as date_key,
        currency,
        case when is_wholly_cancelled then 0 else due_amount end as due_amount,
        refund_amount,
        captured_amount,
        paid_back_amount,
        cast(other_currency_payments as integer) as other_currency_payments,
        refunded_quantity,
        returned_quantity,
        amount,
        is_wholly_cancelled
    from {{ penstock_affected(ref('int_order_totals')) }}
    where not is_test and channel <> 'unknown'

),

compared as (

    select
        *,
        cast(due_amount - refund_amount as decimal(24, 4)) as expected_amount,
        cast(captured_amount - paid_back_amount as decimal(24, 4)) as received_amount
    from orders

)

select
    store_id,
    order_id,
    date_key,
    currency,
    cast(due_amount as decimal(24, 4)) as due_amount,
    refund_amount,
    captured_amount,
    paid_back_amount,
    expected_amount,
    received_amount,
    cast(received_amount - expected_amount as decimal(24, 4)) as difference,
    refunded_quantity,
    returned_quantity,
    other_currency_payments,
    case
        when other_currency_payments > 0 then 'other currency'
        when received_amount = expected_amount then 'settled'
        when captured_amount = 0 and expected_amount > 0 then 'unpaid'
        when received_amount < expected_amount then 'under-paid'
        else 'over-paid'
    end as payment_state,
    case
        when refund_amount > amount then 'more than the sale'
        when refunded_quantity > returned_quantity then 'refunded without return'
        when refunded_quantity < returned_quantity then 'returned without refund'
        else 'matched'
    end as refund_state
from compared
