{{ penstock_by_key(['store_id', 'order_id'], affected='changed_placings', slice_by='date_key') }}

with combined as (

    select * from {{ penstock_affected(ref('int_order_totals')) }}

),

-- The orders of a person in the order of placing, tests left out; those that stand are counted by themselves.
ranked as (

    select
        store_id,
        order_id,
        row_number() over (partition by store_id, person_id order by placed_at, order_id) as order_number,
        row_number() over (
            partition by store_id, person_id, is_wholly_cancelled order by placed_at, order_id
        ) as number_of_kind
    from combined
    where person_id is not null and not is_test

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
    cast(ranked.order_number as integer) as order_number,
    coalesce(ranked.number_of_kind = 1 and not combined.is_wholly_cancelled, false) as is_new_customer,
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
    cast(combined.failed_payments as integer) as failed_payments,
    combined.payment_method,
    combined.paid_at,
    combined.shipped_at,
    combined.delivered_at
from combined
left join ranked
    on combined.store_id = ranked.store_id
    and combined.order_id = ranked.order_id
