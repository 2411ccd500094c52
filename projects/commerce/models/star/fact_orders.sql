with orders as (

    select * from {{ ref('int_orders') }}

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
    from {{ ref('sales_ledger') }}
    group by store_id, order_id

),

paid as (

    select
        store_id,
        order_id,
        {{ order_sum('amount', "status = 'captured'") }} as captured_amount,
        {{ order_sum('amount', "status = 'refunded'") }} as paid_back_amount,
        min(occurred_at) filter (where status = 'captured') as paid_at,
        arg_min(payment_method, row(occurred_at, payment_id)) filter (where status = 'captured') as payment_method,
        count(*) filter (where status = 'failed') as failed_payments
    from {{ ref('int_payments') }}
    where order_id is not null
    group by store_id, order_id

),

sent as (

    select
        store_id,
        order_id,
        min(shipped_at) as shipped_at,
        max(delivered_at) as delivered_at,
        bool_and(delivered_at is not null) as is_delivered
    from {{ ref('stg_shipment_lines') }}
    group by store_id, order_id

),

returned as (

    select store_id, order_id, cast(sum(quantity) as bigint) as units
    from {{ ref('stg_return_lines') }}
    group by store_id, order_id

),

combined as (

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
