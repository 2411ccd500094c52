{{ penstock_by_key(['store_id', 'order_id'], affected='changed_deliveries', slice_by='date_key') }}

with lines as (

    select store_id, order_id, line_no, line_key, timezone, customer_key, product_key
    from {{ penstock_affected(ref('int_order_lines')) }}
    where not is_test

),

delivered as (

    select
        lines.line_key,
        lines.customer_key,
        lines.product_key,
        lines.timezone,
        parts.store_id,
        parts.shipment_id,
        parts.line_no as shipment_line_no,
        parts.order_id,
        parts.order_line_no as line_no,
        parts.carrier,
        parts.shipped_at,
        parts.delivered_at,
        parts.quantity
    from {{ ref('stg_shipment_lines') }} as parts
    inner join lines
        on parts.store_id = lines.store_id
        and parts.order_id = lines.order_id
        and parts.order_line_no = lines.line_no
    where parts.delivered_at is not null

),

-- The units of a line in the order in which they arrived, and those refunded in the order of their refunds.
parts as (

    select
        *,
        {{ local_day('timezone', 'delivered_at') }} as date_key,
        sum(quantity) over arrival as units_to,
        sum(quantity) over arrival - quantity as units_from
    from delivered
    window arrival as (
        partition by line_key order by delivered_at, shipment_id, shipment_line_no rows unbounded preceding
    )

),

refunds as (

    select
        lines.line_key,
        {{ local_day('lines.timezone', 'refunded.refunded_at') }} as refund_date,
        sum(refunded.quantity) over history as units_to,
        sum(refunded.quantity) over history - refunded.quantity as units_from
    from {{ ref('stg_refund_lines') }} as refunded
    inner join lines
        on refunded.store_id = lines.store_id
        and refunded.order_id = lines.order_id
        and refunded.order_line_no = lines.line_no
    window history as (
        partition by lines.line_key
        order by refunded.refunded_at, refunded.refund_id, refunded.line_no
        rows unbounded preceding
    )

),

refunded as (

    select
        parts.store_id,
        parts.shipment_id,
        parts.shipment_line_no,
        sum(least(parts.units_to, refunds.units_to) - greatest(parts.units_from, refunds.units_from)) as units
    from parts
    inner join refunds
        on parts.line_key = refunds.line_key
        and parts.units_from < refunds.units_to
        and refunds.units_from < parts.units_to
    where refunds.refund_date - parts.date_key between 0 and 30
    group by parts.store_id, parts.shipment_id, parts.shipment_line_no

)

select
    parts.store_id,
    parts.shipment_id,
    cast(parts.shipment_line_no as bigint) as shipment_line_no,
    parts.line_key,
    parts.order_id,
    parts.line_no,
    parts.customer_key,
    parts.product_key,
    parts.carrier,
    parts.shipped_at,
    parts.delivered_at,
    parts.date_key,
    parts.quantity as units_delivered,
    cast(coalesce(refunded.units, 0) as bigint) as units_refunded,
    coalesce(parts.date_key + 30 < horizon.last_day, false) as is_final
from parts
left join refunded
    on parts.store_id = refunded.store_id
    and parts.shipment_id = refunded.shipment_id
    and parts.shipment_line_no = refunded.shipment_line_no
left join {{ ref('int_horizon') }} as horizon on true
