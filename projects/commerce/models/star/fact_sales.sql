{{ penstock_by_key(['store_id', 'order_id'], affected='changed_sales', slice_by='date_key') }}

with lines as (

    select * from {{ penstock_affected(ref('int_order_lines')) }}

),

moved as (

    select
        store_id,
        order_id,
        line_no,
        sum(units) filter (where entry_type = 'cancellation') as cancelled,
        sum(units) filter (where entry_type = 'return') as refunded,
        sum(units) filter (where entry_type = 'restock') as restocked,
        sum(quantity) as quantity,
        {{ order_sum('amount', 'is_net_sales') }} as net_amount,
        {{ base_sum('base_amount', "entry_type = 'sale'") }} as gross_sales,
        {{ base_sum('-base_amount', "entry_type = 'discount'") }} as discounts,
        {{ base_sum('-base_amount', "entry_type = 'cancellation'") }} as cancellations,
        {{ base_sum('-base_amount', "entry_type = 'return'") }} as returns,
        {{ base_sum('base_amount', 'is_net_sales') }} as revenue,
        {{ base_sum('base_amount', "entry_type = 'tax'") }} as tax,
        {{ base_sum('base_cost') }} as cost,
        bool_or(base_amount is null) as lacks_rate,
        bool_or(base_cost is null) as lacks_cost
    from {{ penstock_affected(ref('sales_ledger')) }}
    where product_key <> 'none'
    group by store_id, order_id, line_no

)

select
    lines.line_key,
    lines.store_id,
    lines.order_id,
    lines.line_no,
    lines.placed_date as date_key,
    lines.placed_at,
    lines.customer_key,
    lines.product_key,
    lines.variant_id,
    lines.channel,
    lines.is_test,
    lines.quantity as ordered_quantity,
    cast(coalesce(moved.cancelled, 0) as bigint) as cancelled_quantity,
    cast(coalesce(moved.refunded, 0) as bigint) as refunded_quantity,
    cast(coalesce(moved.restocked, 0) as bigint) as restocked_quantity,
    cast(moved.quantity as bigint) as quantity,
    lines.currency,
    lines.gross_amount,
    lines.discount_amount,
    moved.net_amount,
    lines.base_currency,
    case when not moved.lacks_rate then moved.gross_sales end as gross_sales,
    case when not moved.lacks_rate then moved.discounts end as discounts,
    case when not moved.lacks_rate then moved.cancellations end as cancellations,
    case when not moved.lacks_rate then moved.returns end as returns,
    case when not moved.lacks_rate then moved.revenue end as revenue,
    case when not moved.lacks_rate then moved.tax end as tax,
    case when not moved.lacks_cost then moved.cost end as cost,
    case when not moved.lacks_rate and not moved.lacks_cost then cast(moved.revenue - moved.cost as decimal(38, 12)) end
        as profit
from lines
inner join moved
    on lines.store_id = moved.store_id
    and lines.order_id = moved.order_id
    and lines.line_no = moved.line_no
