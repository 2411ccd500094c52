{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'order_id'], affected='changed_orders') }}

with orders as (

    select * from {{ penstock_affected(ref('int_orders')) }}

),

money as (

    select
        store_id,
        order_id,
        count(*) filter (where entry_type = 'sale') as lines,
        sum(units) filter (where entry_type = 'sale') as ordered,
        sum(units) filter (where entry_type = 'cancellation') as cancelled,
        sum(units) filter (where entry_type = 'return') as returned,
        max(business_date) filter (where entry_type = 'cancellation') as cancelled_date,
        {{ order_sum('amount', "entry_type in ('sale', 'discount')") }} as amount,
        {{ order_sum('amount', "entry_type <> 'return'") }} as due_amount,
        {{ order_sum('-amount', "entry_type = 'return'") }} as refund_amount,
        {{ base_sum('base_amount', "entry_type in ('sale', 'discount')") }} as base_amount,
        {{ base_sum('base_amount', 'is_net_sales') }} as net_sales,
        {{ base_sum('base_cost') }} as cost,
        bool_or(base_amount is null) as lacks_rate,
        bool_or(base_cost is null) as lacks_cost
    from {{ penstock_affected(ref('sales_ledger')) }}
    group by store_id, order_id

),

payments as (

    select
        paid.*,
        paid.currency = orders.currency as is_in_currency
    from {{ penstock_affected(ref('int_payments')) }} as paid
    inner join orders
        on paid.store_id = orders.store_id
        and paid.order_id = orders.order_id

),

-- What was paid in another currency than the order's is counted, and in no sum.
paid as (

    select
        store_id,
        order_id,
        {{ order_sum('amount', "status = 'captured' and is_in_currency") }} as captured_amount,
        {{ order_sum('amount', "status = 'refunded' and is_in_currency") }} as paid_back_amount,
        count(*) filter (where status in ('captured', 'refunded') and not is_in_currency) as other_currency_payments,
        bool_or(status = 'captured' and amount > 0) as is_paid,
        min(occurred_at) filter (where status = 'captured') as paid_at,
        arg_min(payment_method, row(occurred_at, payment_id)) filter (where status = 'captured') as payment_method,
        count(*) filter (where status = 'failed') as failed_payments
    from payments
    group by store_id, order_id

),

sent as (

    select
        store_id,
        order_id,
        min(shipped_at) as shipped_at,
        max(delivered_at) as delivered_at,
        bool_and(delivered_at is not null) as is_delivered
    from {{ penstock_affected(ref('stg_shipment_lines')) }}
    group by store_id, order_id

),

returned as (

    select store_id, order_id, cast(sum(quantity) as bigint) as units
    from {{ penstock_affected(ref('stg_return_lines')) }}
    group by store_id, order_id

)

select
    orders.*,
    coalesce(money.lines, 0) as lines,
    cast(coalesce(money.ordered, 0) as bigint) as ordered_quantity,
    cast(coalesce(money.cancelled, 0) as bigint) as cancelled_quantity,
    cast(coalesce(money.returned, 0) as bigint) as refunded_quantity,
    coalesce(returned.units, 0) as returned_quantity,
    coalesce(money.ordered > 0 and money.ordered = money.cancelled, false) as is_wholly_cancelled,
    money.cancelled_date,
    coalesce(money.amount, 0) as amount,
    coalesce(money.due_amount, 0) as due_amount,
    coalesce(money.refund_amount, 0) as refund_amount,
    case when not coalesce(money.lacks_rate, false) then coalesce(money.base_amount, 0) end as base_amount,
    case when not coalesce(money.lacks_rate, false) then coalesce(money.net_sales, 0) end as net_sales,
    case when not coalesce(money.lacks_cost, false) then coalesce(money.cost, 0) end as cost,
    coalesce(paid.captured_amount, 0) as captured_amount,
    coalesce(paid.paid_back_amount, 0) as paid_back_amount,
    coalesce(paid.other_currency_payments, 0) as other_currency_payments,
    coalesce(paid.is_paid, false) as is_paid,
    coalesce(paid.failed_payments, 0) as failed_payments,
    paid.paid_at,
    paid.payment_method,
    sent.shipped_at,
    case when sent.is_delivered then sent.delivered_at end as delivered_at
from orders
left join money on orders.store_id = money.store_id and orders.order_id = money.order_id
left join paid on orders.store_id = paid.store_id and orders.order_id = paid.order_id
left join sent on orders.store_id = sent.store_id and orders.order_id = sent.order_id
left join returned on orders.store_id = returned.store_id and orders.order_id = returned.order_id
