{{ penstock_by_key(['store_id', 'order_id'], affected='changed_orders', slice_by='date_key') }}

with lines as (

    select * from {{ penstock_affected(ref('int_order_lines')) }} where not is_test

),

orders as (

    select
        store_id,
        order_id,
        status,
        is_paid,
        cast(failed_payments as integer) as failed_payments,
        payment_method,
        paid_at
    from {{ penstock_affected(ref('int_order_totals')) }}

),

customers as (

    select customer_key, is_guest, segment, is_member, country, region from {{ ref('dim_customer') }}

),

products as (

    select product_key, category, subcategory, brand from {{ ref('dim_product') }}

)

select
    lines.line_key,
    lines.store_id,
    lines.order_id,
    lines.line_no,
    lines.placed_date as date_key,
    lines.placed_at,
    lines.channel,
    lines.customer_key,
    lines.customer_id,
    customers.is_guest,
    customers.segment,
    customers.is_member,
    customers.country,
    coalesce(customers.region, lines.ship_region) as region,
    lines.product_key,
    lines.product_id,
    lines.variant_id,
    products.category,
    products.subcategory,
    products.brand,
    lines.quantity,
    lines.currency,
    lines.list_price,
    lines.gross_amount,
    lines.discount_amount,
    cast(lines.gross_amount - lines.discount_amount as decimal(24, 4)) as amount,
    lines.base_currency,
    {{ in_base('(lines.gross_amount - lines.discount_amount)', 'lines.fx_rate') }} as base_amount,
    orders.status as order_status,
    orders.is_paid,
    orders.payment_method,
    orders.paid_at,
    orders.failed_payments
from lines
inner join orders on lines.store_id = orders.store_id and lines.order_id = orders.order_id
inner join customers on lines.customer_key = customers.customer_key
inner join products on lines.product_key = products.product_key
