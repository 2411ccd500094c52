{{ penstock_by_key(['store_id', 'order_id'], affected='changed_sales', slice_by='business_date') }}

with lines as (

    select * from {{ penstock_affected(ref('int_order_lines')) }}

),

asked as (

    select
        events.store_id,
        events.order_id,
        lines.line_no,
        events.event_id,
        events.occurred_at,
        lines.list_price,
        lines.quantity as ordered,
        cast(lines.discount_amount * 10000 as hugeint) as discount,
        least(coalesce(events.quantity, lines.quantity), lines.quantity) as units
    from {{ ref('stg_order_events') }} as events
    inner join lines
        on events.store_id = lines.store_id
        and events.order_id = lines.order_id
        and (events.line_no is null or events.line_no = lines.line_no)
    where events.event_type = 'cancelled'

),

-- Units cancelled with each event and before it; more than was ordered cannot be cancelled.
counted as (

    select
        *,
        least(ordered, cast(sum(units) over until_now as bigint)) as after,
        least(ordered, cast(sum(units) over until_now as bigint) - units) as before
    from asked
    window until_now as (
        partition by store_id, order_id, line_no order by occurred_at, event_id rows unbounded preceding
    )

),

-- The discount of a line goes back in proportion, in ten-thousandths; all units together give back all of it.
cancelled as (

    select
        store_id,
        order_id,
        line_no,
        event_id,
        occurred_at,
        after - before as units,
        cast(
            {{ ten_thousandths('discount * after // ordered - discount * before // ordered') }}
            - list_price * (after - before) as decimal(24, 4)
        ) as amount
    from counted
    where after > before

),

-- `quantity` moves units sold, `cost_units` the units whose cost moves; a date is given where it is not the order's.
line_entries as (

    select
        store_id,
        order_id,
        line_no,
        'sale' as entry_type,
        '' as source_id,
        cast(null as timestamptz) as occurred_at,
        quantity as units,
        quantity,
        gross_amount as amount,
        quantity as cost_units
    from lines
    union all
    select
        store_id,
        order_id,
        line_no,
        'discount' as entry_type,
        cast(allocation_no as varchar) as source_id,
        null as occurred_at,
        0 as units,
        0 as quantity,
        -amount as amount,
        0 as cost_units
    from {{ ref('stg_discounts') }}
    union all
    select
        store_id,
        order_id,
        line_no,
        'cancellation' as entry_type,
        event_id as source_id,
        occurred_at,
        units,
        -units as quantity,
        amount,
        -units as cost_units
    from cancelled
    union all
    select
        store_id,
        order_id,
        order_line_no as line_no,
        'return' as entry_type,
        refund_id || ':' || line_no as source_id,
        refunded_at as occurred_at,
        quantity as units,
        -quantity as quantity,
        -amount as amount,
        0 as cost_units
    from {{ ref('stg_refund_lines') }}
    union all
    select
        store_id,
        order_id,
        order_line_no as line_no,
        'restock' as entry_type,
        return_id || ':' || line_no as source_id,
        received_at as occurred_at,
        quantity as units,
        0 as quantity,
        0 as amount,
        -quantity as cost_units
    from {{ ref('stg_return_lines') }}
    where restocked
    union all
    select
        store_id,
        order_id,
        line_no,
        'tax' as entry_type,
        cast(allocation_no as varchar) as source_id,
        null as occurred_at,
        0 as units,
        0 as quantity,
        amount,
        0 as cost_units
    from {{ ref('stg_taxes') }}

),

order_entries as (

    select
        store_id,
        order_id,
        cast(null as bigint) as line_no,
        'shipping' as entry_type,
        amount
    from {{ ref('stg_shipping_charges') }}
    union all
    select
        store_id,
        order_id,
        line_no,
        'gift_card' as entry_type,
        amount
    from {{ ref('stg_gift_card_sales') }}

),

entries as (

    select
        line_entries.store_id,
        line_entries.order_id,
        line_entries.line_no,
        line_entries.entry_type,
        line_entries.source_id,
        coalesce(line_entries.occurred_at, lines.placed_at) as occurred_at,
        case
            when line_entries.occurred_at is null then lines.placed_date
            else {{ local_day('lines.timezone', 'line_entries.occurred_at') }}
        end as business_date,
        lines.placed_at,
        lines.placed_date,
        lines.channel,
        lines.is_test,
        lines.ship_country,
        lines.customer_id,
        lines.customer_key,
        lines.variant_id,
        lines.product_id,
        lines.product_key,
        line_entries.units,
        line_entries.quantity,
        lines.currency,
        line_entries.amount,
        lines.base_currency,
        lines.fx_rate,
        lines.cost_currency,
        lines.cost_rate,
        case when line_entries.cost_units = 0 then 0 else lines.unit_cost * line_entries.cost_units end as cost_amount
    from line_entries
    inner join lines
        on line_entries.store_id = lines.store_id
        and line_entries.order_id = lines.order_id
        and line_entries.line_no = lines.line_no
    union all
    select
        order_entries.store_id,
        order_entries.order_id,
        order_entries.line_no,
        order_entries.entry_type,
        '' as source_id,
        orders.placed_at as occurred_at,
        orders.placed_date as business_date,
        orders.placed_at,
        orders.placed_date,
        orders.channel,
        orders.is_test,
        orders.ship_country,
        orders.customer_id,
        orders.customer_key,
        null as variant_id,
        null as product_id,
        'none' as product_key,
        0 as units,
        0 as quantity,
        orders.currency,
        order_entries.amount,
        orders.base_currency,
        orders.fx_rate,
        null as cost_currency,
        null as cost_rate,
        0 as cost_amount
    from order_entries
    inner join {{ penstock_affected(ref('int_orders')) }} as orders
        on order_entries.store_id = orders.store_id
        and order_entries.order_id = orders.order_id

)

select
    {{ penstock_key('entry', ['order_id', 'line_no', 'entry_type', 'source_id'], tenant='store_id') }} as entry_key,
    store_id,
    order_id,
    line_no,
    entry_type,
    source_id,
    business_date,
    occurred_at,
    placed_date,
    placed_at,
    customer_key,
    customer_id,
    product_key,
    product_id,
    variant_id,
    channel,
    ship_country,
    is_test,
    entry_type in ('sale', 'discount', 'cancellation', 'return') as is_net_sales,
    cast(units as bigint) as units,
    cast(quantity as bigint) as quantity,
    currency,
    cast(amount as decimal(24, 4)) as amount,
    base_currency,
    fx_rate,
    {{ in_base('amount', 'fx_rate') }} as base_amount,
    cost_currency,
    cast(cost_amount as decimal(24, 4)) as cost_amount,
    {{ in_base('cost_amount', 'cost_rate') }} as base_cost
from entries
