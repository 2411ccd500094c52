{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'order_id'], affected='changed_orders') }}

{%- set header -%}
    store_id, order_id, placed_at, placed_date, timezone, status, channel, is_test, ship_country, ship_region,
    customer_id, customer_key, person_id, currency, base_currency, fx_rate
{%- endset %}
{%- set sums -%}
    store_id, order_id, lines, ordered_quantity, cancelled_quantity, refunded_quantity, cancelled_date, amount,
    due_amount, refund_amount
{%- endset %}

with orders as (

    select {{ header }} from {{ penstock_affected(ref('int_orders'), of='changed_headers') }}
    {%- if is_incremental() %}
    union all
    select {{ header }} from {{ penstock_stood(but='changed_headers') }}
    {%- endif %}

),

money as (

    select
        {{ sums }},
        case when not lacks_rate then base_amount end as base_amount,
        case when not lacks_rate then net_sales end as net_sales,
        case when not lacks_cost then cost end as cost
    from {{ penstock_affected(ref('int_order_sales'), of='changed_sales') }}
    {%- if is_incremental() %}
    union all
    select {{ sums }}, base_amount, net_sales, cost from {{ penstock_stood(but='changed_sales') }}
    {%- endif %}

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
    coalesce(money.ordered_quantity, 0) as ordered_quantity,
    coalesce(money.cancelled_quantity, 0) as cancelled_quantity,
    coalesce(money.refunded_quantity, 0) as refunded_quantity,
    coalesce(returned.units, 0) as returned_quantity,
    coalesce(money.ordered_quantity > 0 and money.ordered_quantity = money.cancelled_quantity, false) as is_wholly_cancelled,
    money.cancelled_date,
    coalesce(money.amount, 0) as amount,
    coalesce(money.due_amount, 0) as due_amount,
    coalesce(money.refund_amount, 0) as refund_amount,
    case when money.order_id is not null then money.base_amount else 0 end as base_amount,
    case when money.order_id is not null then money.net_sales else 0 end as net_sales,
    case when money.order_id is not null then money.cost else 0 end as cost,
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
